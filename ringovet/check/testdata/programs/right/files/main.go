// Files that are copied to a connection, which knows what to do with them.
package main

import (
	"context"
	"io"
	"log"
	"os"

	"ringo/file"
	"ringo/sock"
)

func main() {
	page, err := os.Open("page")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		io.Copy(c, page)
		f, err := file.Open("other")
		if err != nil {
			return
		}
		defer f.Close()
		io.Copy(c, f)
		w, err := file.NewWriter(f, nil)
		if err != nil {
			return
		}
		defer w.Close()
		io.WriteString(w, "x")
	}))
}
