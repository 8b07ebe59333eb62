//go:build linux

package echo

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/cmd/ringo/internal/tooltest"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// TestAllocs: a request allocates nothing, with either handler on either driver, from one
// connection and from fifty that send at once. It is not parallel, because it counts.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, driver := range []string{"uring", "epoll"} {
		for _, handler := range []string{perRequest, perConn, perGoroutine, perEvent} {
			t.Run(driver+"/"+handler, func(t *testing.T) {
				if driver == "uring" {
					tooltest.NeedUring(t)
				}
				countAllocs(t, &options{server.Options{
					Listen: server.Addresses{{Network: "tcp", Name: "127.0.0.1:0"}}, Driver: driver, Loops: 1,
					Grace: time.Minute}, handler})
			})
		}
	}
}

func countAllocs(t *testing.T, o *options) {
	t.Setenv("RINGO_DRIVER", "")
	s, err := server.Open(t.Context(), &o.Options, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	newEchoer(s, o.handler)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ringo.Run(ctx, o.Config(), s.Serve) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	}()

	message := make([]byte, 64)
	var conns []net.Conn
	for range 50 {
		c := tooltest.Dial(t, s.Addr().String())
		defer c.Close() // before the loop's end, which would wait for it
		conns = append(conns, c)
	}
	exchange := func(conns []net.Conn) {
		for _, c := range conns {
			if _, err := c.Write(message); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range conns {
			if _, err := io.ReadFull(c, message); err != nil {
				t.Fatal(err)
			}
		}
	}
	exchange(conns) // who has had an answer is accepted: nobody's handle is made while others are counted
	for _, n := range []int{1, len(conns)} {
		const some = 0.01 // of a request: the runtime's own
		got := alloctest.Least(2000/n, some*float64(n), func() { exchange(conns[:n]) }) / float64(n)
		if got > some {
			t.Errorf("%d connections: %.3f allocations a request, want none", n, got)
		}
	}
}
