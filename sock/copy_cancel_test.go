package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// A task that copies from a connection of package net is cancelled also while its own
// connection's peer reads nothing, and the loop can end.
func TestCopyFromNetCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			sender := dial(t, ln.Addr().String())
			defer sender.Close()
			from, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			var sent atomic.Int64
			full := make(chan bool)
			go func() {
				defer close(full)
				p := make([]byte, 1<<16)
				for {
					n, err := sender.Write(p)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
			var copied int64
			var failed error
			copying := l.Go(func() { copied, failed = io.Copy(c, from) })
			before := int64(-1)
			eventuallyOn(t, l, "all buffers are full", func() bool {
				l.Sleep(50 * time.Millisecond)
				now := sent.Load()
				same := now == before
				before = now
				return same && now > 0
			})
			copying.Cancel()
			copying.Wait()
			if !errors.Is(failed, context.Canceled) {
				t.Errorf("a cancelled copy of %d bytes ended with %v", copied, failed)
			}
			sender.Close()
			onGoroutine(t, l, func() { <-full })
		})
	})
}
