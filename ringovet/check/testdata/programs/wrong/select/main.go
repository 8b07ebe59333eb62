// A broadcaster's loop is an event loop of its own.
package main

import (
	"context"
	"log"

	"ringo"
	"ringo/sock"
)

type hub struct {
	join, leave chan *sock.Conn
	all         map[*sock.Conn]bool
}

func (h *hub) run() {
	for {
		select { // want `select without default .*ringo.Select .*\(\*main.hub\).run`
		case c := <-h.join:
			h.all[c] = true
		case c := <-h.leave:
			delete(h.all, c)
		}
	}
}

func main() {
	h := &hub{make(chan *sock.Conn), make(chan *sock.Conn), map[*sock.Conn]bool{}}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.Go(h.run)
		return sock.Serve(l, nil, &sock.Handler{
			Request: func(c *sock.Conn) error { return nil },
			Open: func(c *sock.Conn) error {
				h.join <- c // want `channel send`
				return nil
			},
		})
	}))
}
