// A handler for requests, with all three functions wrong.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"time"

	"ringo"
	"ringo/sock"
)

type app struct{ seen chan string }

func (a *app) closed(c *sock.Conn, err error) {
	a.seen <- c.RemoteAddr().String() // want `channel send .*sock.Handler.Closed`
}

func main() {
	a := &app{make(chan string, 100)}
	h := &sock.Handler{
		Open:    open,
		Request: func(c *sock.Conn) error { return a.request(c) },
		Closed:  a.closed,
	}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":7000")
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, h)
	}))
}

func open(c *sock.Conn) error {
	time.Sleep(time.Millisecond) // want `time.Sleep .*sock.Handler.Open`
	return nil
}

func (a *app) request(c *sock.Conn) error {
	_, err := io.Copy(os.Stdout, io.LimitReader(c, 10)) // want `\(\*os.File\).Write .*io.Copy`
	return err
}
