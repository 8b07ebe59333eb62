// Wrappers around a handler.
package main

import (
	"context"
	"log"
	"os"

	"ringo/sock"
)

type handler interface{ Handle(c *sock.Conn) }

type handlerFunc func(c *sock.Conn)

func (f handlerFunc) Handle(c *sock.Conn) { f(c) }

func logged(next handler) handler {
	return handlerFunc(func(c *sock.Conn) {
		os.Stderr.WriteString("came\n") // want `\(\*os.File\).WriteString`
		next.Handle(c)
	})
}

type site struct{ root string }

func (s *site) Handle(c *sock.Conn) {
	f, err := os.Open(s.root) // want `os.Open `
	if err == nil {
		f.Close()
	}
}

func main() {
	h := logged(&site{"/var/www"})
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", h.Handle))
}
