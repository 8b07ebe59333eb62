// Echo is the echo server of libuv and gnet by package event: it has callbacks, and no stack for each connection.
// docs/event.md shows it beside the originals.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"

	"ringo/event"
	"ringo/sock"
)

// echo is the handler of a loop's connections.
type echo struct {
	event.Base
	open map[*event.Conn]bool
}

// OnOpen notes the connection, for the drain.
func (e *echo) OnOpen(c *event.Conn) { e.open[c] = true }

// OnData sends back what came. It reads no more from a peer that does not read its answers, so that they do not pile
// up.
func (e *echo) OnData(c *event.Conn, p []byte) int {
	if c.Write(p) != nil {
		c.Close()
	} else if c.Congested() {
		c.Pause()
	}
	return len(p)
}

// OnWritable reads again: the peer has caught up.
func (e *echo) OnWritable(c *event.Conn) { c.Resume() }

// OnClose forgets the connection.
func (e *echo) OnClose(c *event.Conn, _ error) { delete(e.open, c) }

// drain closes the connections at rest. The others have what is left of ringo.Config.Grace.
func (e *echo) drain() {
	for c := range e.open {
		if c.Unsent() == 0 {
			c.Close()
		}
	}
}

func main() {
	address := flag.String("listen", "127.0.0.1:7000", "the `address` to serve")
	flag.Parse()
	set, err := sock.Reserve("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on", set.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, set); err != nil {
		log.Fatal(err)
	}
}

// serve serves on all loops until ctx ends. Then it closes connections at rest; those with answers to send have until
// ringo.Config.Grace is over.
func serve(ctx context.Context, set *sock.ListenerSet) error {
	defer set.Close()
	return event.Run(ctx, nil, func(l *event.Loop) error {
		ln, err := set.Listen(l.Ringo())
		if err != nil {
			return err
		}
		e := &echo{open: map[*event.Conn]bool{}}
		l.Accept(ln, e)
		l.Ringo().OnDrain(e.drain)
		return nil
	})
}
