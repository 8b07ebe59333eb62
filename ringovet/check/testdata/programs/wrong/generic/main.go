// A generic pool of connections.
package main

import (
	"context"
	"log"

	"ringo"
	"ringo/sock"
)

type pool[T any] struct{ free chan T }

func (p *pool[T]) get() T { return <-p.free } // want `channel receive .*get`

func (p *pool[T]) put(v T) { p.free <- v } // want `channel send .*put`

func main() {
	p := &pool[*sock.Conn]{make(chan *sock.Conn, 10)}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		c := p.get()
		defer p.put(c)
		return c.Flush()
	}))
}
