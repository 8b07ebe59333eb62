// Files through an fs.FS that is os's.
package main

import (
	"context"
	"io/fs"
	"log"
	"os"

	"ringo/sock"
)

func main() {
	www := os.DirFS("/var/www")
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		p, err := fs.ReadFile(www, "index.html") // want `Open of an fs.FS of os.DirFS .*file.Root.FS`
		if err == nil {
			c.Write(p)
		}
	}))
}
