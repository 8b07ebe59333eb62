// Locks that are free where the task parks.
package main

import (
	"context"
	"log"
	"slices"
	"sync"

	"ringo/sock"
)

type room struct {
	mu    sync.RWMutex
	conns []*sock.Conn
}

func (r *room) add(c *sock.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
}

func (r *room) tell(p []byte) {
	r.mu.RLock()
	all := slices.Clone(r.conns)
	r.mu.RUnlock()
	for _, c := range all {
		c.Write(p)
	}
}

func (r *room) first() *sock.Conn {
	r.mu.RLock()
	if len(r.conns) == 0 {
		r.mu.RUnlock()
		return nil
	}
	c := r.conns[0]
	r.mu.RUnlock()
	c.Flush()
	return c
}

func main() {
	r := &room{}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		r.add(c)
		r.tell([]byte("hello\n"))
		_ = r.first()
	}))
}
