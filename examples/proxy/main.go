// Proxy carries connections to another server, with two tasks for each connection, one for each direction. Each task
// is straight-line code, and passes the half-close on. io.Copy between two connections of a loop moves buffers and
// copies nothing.
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
	log.SetOutput(logs.NewWriter(os.Stderr, nil)) // a task must not wait until stderr is read
	fmt.Println("proxy from", set.Addr(), "to", *backend)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, set, *backend); err != nil {
		log.Fatal(err)
	}
}

// serve carries connections on all loops until ctx ends and the connections have ended, at the latest when Grace is
// over.
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

// proxy dials the backend, and runs the two directions: one in a task of its own, one in the calling task.
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

// pipe copies one direction, and passes its end on by CloseWrite. If copying fails it resets both connections, which
// also ends the other direction: data that was cut short must not look complete.
func pipe(dst, src *sock.Conn) {
	_, err := io.Copy(dst, src)
	if err == nil {
		err = dst.CloseWrite()
	}
	if err != nil {
		for _, c := range []*sock.Conn{dst, src} {
			c.SetLinger(0)
			c.Close() // calls that read or write there return net.ErrClosed
		}
	}
}
