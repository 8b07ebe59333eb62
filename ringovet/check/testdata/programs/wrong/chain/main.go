// Handlers that are wrapped in a loop, so that each is known by the next only.
package main

import (
	"context"
	"log"
	"time"

	"ringo/sock"
)

type handler func(c *sock.Conn)

type chain struct{ h handler }

func (ch *chain) wrap(layer func(handler) handler) { ch.h = layer(ch.h) }

func slow(next handler) handler {
	return func(c *sock.Conn) {
		time.Sleep(time.Second) // want `time.Sleep `
		next(c)
	}
}

func same(next handler) handler { return next }

func (ch *chain) next() handler {
	h := ch.h
	for range 3 {
		h = ch.pick(h)
	}
	return h
}

func (ch *chain) pick(h handler) handler {
	if h == nil {
		return ch.next()
	}
	return h
}

func main() {
	ch := &chain{h: func(c *sock.Conn) {}}
	for _, layer := range []func(handler) handler{slow, same} {
		ch.wrap(layer)
	}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) { ch.next()(c) }))
}
