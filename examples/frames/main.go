// Frames sends length-prefixed frames back, with a handler per request: a connection that waits for the rest of a frame
// keeps its bytes and no stack. A frame is four bytes of length, big endian, and as many bytes.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"ringo"
	"ringo/sock"
)

// frameMax keeps a whole frame within what Serve lets a connection leave unread.
const frameMax = 60 << 10

var errTooLong = errors.New("frame too long")

// frames answers the whole frames that are here. What is left over is shown again when more has come.
func frames(c *sock.Conn) error {
	for c.Buffered() >= 4 {
		head, _ := c.Peek(4)
		size := binary.BigEndian.Uint32(head)
		if size > frameMax {
			return errTooLong // closes the connection
		}
		n := 4 + int(size)
		if c.Buffered() < n {
			break
		}
		frame, _ := c.Peek(n)
		if _, err := c.Write(frame); err != nil {
			return err
		}
		c.Discard(n)
		c.SetReadDeadline(c.Loop().Now().Add(time.Minute)) // only whole frames buy time
	}
	return nil
}

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
	h := &sock.Handler{Request: frames}
	return ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, h)
	})
}
