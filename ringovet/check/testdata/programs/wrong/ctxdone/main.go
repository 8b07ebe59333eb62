// A task waits for the end of the program.
package main

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"ringo"
	"ringo/sock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log.Fatal(ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp", ":53")
		if err != nil {
			return err
		}
		l.Go(func() {
			<-ctx.Done() // want `channel receive .* Loop.OnDrain`
			c.Close()
		})
		return nil
	}))
}
