// An in-memory pipe between two tasks of one loop.
package main

import (
	"compress/gzip"
	"context"
	"io"
	"log"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		r, w := io.Pipe()
		c.Loop().Go(func() {
			z := gzip.NewWriter(w)
			z.Write([]byte("hello")) // want `\(\*io.PipeWriter\).Write`
			z.Close()                // want `\(\*io.PipeWriter\).Write`
		})
		buf := make([]byte, 100)
		n, _ := r.Read(buf) // want `\(\*io.PipeReader\).Read`
		c.Write(buf[:n])
	}))
}
