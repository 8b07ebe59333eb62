// Writers of one connection take turns by a sync.Mutex.
package main

import (
	"context"
	"log"
	"sync"

	"ringo/sock"
)

type client struct {
	mu sync.Mutex
	c  *sock.Conn
}

func (cl *client) send(p []byte) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	_, err := cl.c.Write(p) // want `\(\*sock.Conn\).Write with cl.mu locked parks.*ringo.Mutex`
	return err
}

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		cl := &client{c: c}
		c.Loop().Go(func() { cl.send([]byte("one\n")) })
		cl.send([]byte("two\n"))
	}))
}
