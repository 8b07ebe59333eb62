// Echo is libuv's and gnet's echo server by package event: callbacks, and no stack for a connection. docs/event.md
// shows it beside the originals.
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

// echo is the handler of all connections, on all loops.
type echo struct{ event.Base }

// OnData sends back what came. A peer that does not read what it gets is not asked for more.
func (echo) OnData(c *event.Conn, p []byte) int {
	if c.Write(p) != nil {
		c.Close()
	} else if c.Congested() {
		c.Pause()
	}
	return len(p)
}

// OnWritable goes on.
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

// serve serves on all loops until ctx ends. Who is connected then has a moment to end, ringo.Config.Grace.
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
