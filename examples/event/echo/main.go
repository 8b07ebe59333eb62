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

// echo is the handler of all connections, on all loops. It has no state, so they can share it.
type echo struct{ event.Base }

// OnData sends back what came. It reads no more from a peer that does not read its answers, so that they do not pile
// up.
func (echo) OnData(c *event.Conn, p []byte) int {
	if c.Write(p) != nil {
		c.Close()
	} else if c.Congested() {
		c.Pause()
	}
	return len(p)
}

// OnWritable reads again: the peer has caught up.
func (echo) OnWritable(c *event.Conn) { c.Resume() }

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

// serve serves on all loops until ctx ends. Connected peers then have until ringo.Config.Grace is over to finish.
func serve(ctx context.Context, set *sock.ListenerSet) error {
	defer set.Close()
	return event.Run(ctx, nil, func(l *event.Loop) error {
		ln, err := set.Listen(l.Ringo())
		if err != nil {
			return err
		}
		l.Accept(ln, echo{})
		l.Ringo().OnDrain(l.Stop)
		return nil
	})
}
