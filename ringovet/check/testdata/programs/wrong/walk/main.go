// A directory's size, on demand.
package main

import (
	"context"
	"io/fs"
	"log"
	"path/filepath"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		filepath.WalkDir("/var/www", func(string, fs.DirEntry, error) error { return nil }) // want `filepath.WalkDir .*file.WalkDir`
	}))
}
