// A server of files reads them itself.
package main

import (
	"context"
	"log"
	"os"

	"ringo/sock"
)

func main() {
	h := &sock.Handler{Request: request}
	_ = h
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) { request(c) }))
}

func request(c *sock.Conn) error {
	p, err := os.ReadFile("/etc/motd") // want `os.ReadFile waits for the disk; use package file`
	if err != nil {
		return err
	}
	_, err = c.Write(p)
	return err
}
