// The first task connects, the second stops the loop until it has.
package main

import (
	"context"
	"log"
	"sync"

	"ringo"
	"ringo/sock"
)

type pool struct {
	once sync.Once
	c    *sock.Conn
}

func (p *pool) conn(l *ringo.Loop) *sock.Conn {
	p.once.Do(func() { // want `\(\*sync.Once\).Do of what parks`
		p.c, _ = sock.Dial(l, "tcp", "127.0.0.1:6379")
	})
	return p.c
}

func main() {
	p := &pool{}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.Go(func() { p.conn(l) })
		l.Go(func() { p.conn(l) })
		return nil
	}))
}
