package sock_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

func drivers() []string { return []string{"uring", "epoll"} }

// serveOn runs serve over two loops and gives the address.
func TestEchoTask(t *testing.T) {
	for _, d := range drivers() {
		for _, mode := range []string{"conn", "request"} {
			t.Run(d+"/"+mode, func(t *testing.T) {
				set, err := sock.Reserve("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer set.Close()
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				h := &sock.Handler{Request: func(c *sock.Conn) error {
					for c.Buffered() > 0 {
						b, err := c.Next()
						if err != nil {
							return err
						}
						_, err = c.Write(b.Bytes())
						b.Release()
						if err != nil {
							return err
						}
					}
					return nil
				}}
				go func() {
					done <- ringo.Run(ctx, &ringo.Config{Driver: d, Loops: 2}, func(l *ringo.Loop) error {
						ln, err := set.Listen(l)
						if err != nil {
							return err
						}
						if mode == "request" {
							return sock.Serve(l, ln, h)
						}
						for {
							c, err := ln.Accept()
							if err != nil {
								return err
							}
							l.Go(func() { defer c.Close(); io.Copy(c, c) })
						}
					})
				}()
				for range 3 {
					c, err := net.Dial("tcp", set.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					msg := make([]byte, 3<<20)
					for i := range msg {
						msg[i] = byte(rand.Uint32())
					}
					go func() {
						c.Write(msg)
						c.(*net.TCPConn).CloseWrite()
					}()
					c.SetDeadline(time.Now().Add(10 * time.Second))
					got, err := io.ReadAll(c)
					if err != nil || !bytes.Equal(got, msg) {
						t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(msg))
					}
					c.Close()
				}
				cancel()
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
				case <-time.After(8 * time.Second):
					panic("run does not end")
				}
			})
		}
	}
}
