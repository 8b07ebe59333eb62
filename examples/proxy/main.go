// Proxy carries connections to another server: two tasks per connection, one for each direction, straight-line code
// with the half-close passed on. io.Copy between two connections of a loop moves buffers and copies nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"ringo"
	"ringo/logs"
	"ringo/sock"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7000", "the address to listen on")
	backend := flag.String("backend", "127.0.0.1:9000", "where connections are carried to")
	flag.Parse()
	set, err := sock.Reserve("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.SetOutput(logs.NewWriter(os.Stderr, nil)) // so that no task waits for who reads it
	fmt.Println("proxy from", set.Addr(), "to", *backend)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, set, *backend); err != nil {
		log.Fatal(err)
	}
}

// serve carries connections on all loops until ctx ends and they have come to their end.
func serve(ctx context.Context, set *sock.ListenerSet, backend string) error {
	defer set.Close()
	return ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				proxy(c, backend)
			})
		}
	})
}

var dialer = sock.Dialer{Timeout: 3 * time.Second}

func proxy(c *sock.Conn, backend string) {
	b, err := dialer.Dial(c.Loop(), "tcp", backend)
	if err != nil {
		log.Print(err)
		return
	}
	defer b.Close()
	up := c.Loop().Go(func() { pipe(b, c) })
	pipe(c, b)
	up.Wait()
}

// pipe copies one direction. Its end is passed on as such. A failure resets both connections, and so ends the other
// direction, too: what was cut short must not look whole.
func pipe(dst, src *sock.Conn) {
	_, err := io.Copy(dst, src)
	if err == nil {
		err = dst.CloseWrite()
	}
	if err != nil {
		for _, c := range []*sock.Conn{dst, src} {
			c.SetLinger(0)
			c.Close() // who reads or writes there gets net.ErrClosed
		}
	}
}
