package sock_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Bytes from Peek stay what they are until the next read or Close, whoever calls whatever else: the
// buffers in which they lie must not go to another connection meanwhile.
func TestPeekedBytesOutliveCallsOfOthers(t *testing.T) {
	calls := []struct {
		name string
		call func(c *sock.Conn)
	}{
		{"Buffered", func(c *sock.Conn) { c.Buffered() }},
		{"File", func(c *sock.Conn) {
			if f, err := c.File(); err == nil {
				f.Close()
			}
		}},
		{"SetReadDeadline", func(c *sock.Conn) { c.SetReadDeadline(time.Now().Add(time.Hour)) }},
		{"Write", func(c *sock.Conn) { c.Write([]byte("x")) }},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize, cfg.Buffers = 256, 8
		for _, n := range []int{100, 700} { // in one buffer, and gathered from several
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
				another, anotherPeer := connect(t, l)
				defer anotherPeer.Close()
				defer another.Close()
				withLoop(t, l, cfg, func(other *ringo.Loop) {
					callers := map[string]func(f func()){
						"goroutine":            func(f func()) { onGoroutine(t, l, f) },
						"task":                 func(f func()) { l.Go(f).Wait() },
						"task of another loop": func(f func()) { other.Go(f).Wait() },
					}
					for who, as := range callers {
						for peeker, peeks := range callers {
							for _, call := range calls {
								msg := make([]byte, n)
								pattern(msg, 7)
								send(t, peer, string(msg))
								var peeked []byte
								var err error
								peeks(func() { peeked, err = c.Peek(n) })
								if err != nil {
									t.Fatalf("Peek(%d) by a %s: %v", n, peeker, err)
								}
								as(func() { call.call(c) })
								// Everybody else's bytes go where the peeked ones must not be.
								for range 4 * cfg.Buffers {
									send(t, anotherPeer, strings.Repeat("\xEE", cfg.BufferSize))
									lease, err := another.Next()
									if err != nil {
										t.Fatal(err)
									}
									lease.Release()
								}
								if bad := mismatch(peeked, 7); bad >= 0 {
									t.Errorf("%d bytes that a %s peeked changed at %d when a %s called %s",
										n, peeker, bad-7, who, call.name)
								}
								if k, err := c.Discard(n); k != n || err != nil {
									t.Fatalf("Discard(%d) = %d, %v", n, k, err)
								}
							}
						}
					}
				})
			})
		}
	})
}

// withLoop runs body, in the calling task, while there is another loop, of a Run of its own.
func withLoop(t *testing.T, l *ringo.Loop, cfg ringo.Config, body func(other *ringo.Loop)) {
	t.Helper()
	loops, over, ended := make(chan *ringo.Loop, 1), make(chan bool), make(chan error, 1)
	go func() {
		ended <- ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			loops <- l
			return l.Offload(func(context.Context) error { <-over; return nil })
		})
	}()
	var other *ringo.Loop
	offloaded(t, l, func() error { other = <-loops; return nil })
	defer offloaded(t, l, func() error { return <-ended })
	defer close(over)
	body(other)
}
