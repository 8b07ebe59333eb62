// Frames sends length-prefixed frames back, with a handler for each request: a connection that waits for the rest of a
// frame keeps its bytes, and no stack. A frame is a length in four bytes, big-endian, and as many bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"ringo"
	"ringo/codec"
	"ringo/sock"
)

// format allows frames of up to 64 KiB, which is what Serve lets a connection have unread.
var format = &codec.Prefixed{Size: 4, Max: 64 << 10, Whole: true}

// frames answers the whole frames that have arrived. Serve keeps the rest, and calls it again when more has arrived.
func frames(c *sock.Conn) error {
	s := codec.Scanner{Codec: format}
	for frame, err := range s.Buffered(c) {
		if err == nil {
			err = extend(c) // only a whole frame extends the deadline
		}
		if err == nil {
			_, err = c.Write(frame)
		}
		if err != nil {
			return err // closes the connection, for example after a frame that is too long
		}
	}
	return nil
}

// frameWait is how long a peer has to take an answer and to send its next whole frame.
const frameWait = time.Minute

// extend sets the connection's deadline anew. The loop's clock costs no system call.
func extend(c *sock.Conn) error { return c.SetDeadline(c.Loop().Now().Add(frameWait)) }

var handler = &sock.Handler{Open: extend, Request: frames}

func main() {
	listen := flag.String("listen", "127.0.0.1:7000", "the address to listen on")
	flag.Parse()
	set, err := sock.Reserve("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("frames on", set.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, set); err != nil {
		log.Fatal(err)
	}
}

// serve runs the handler on all loops until ctx ends.
func serve(ctx context.Context, set *sock.ListenerSet) error {
	defer set.Close()
	return ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, handler)
	})
}
