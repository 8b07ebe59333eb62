//go:build linux

package echo

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/cmd/ringo/internal/tooltest"
	"ringo/internal/race"
)

// TestAllocs: a request allocates nothing, with either handler on either driver. It is
// not parallel, because it counts.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, driver := range []string{"uring", "epoll"} {
		for _, handler := range []string{perRequest, perConn, perGoroutine} {
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

	c := tooltest.Dial(t, s.Addr().String())
	defer c.Close()
	message := make([]byte, 64)
	exchange := func(requests int) {
		for range requests {
			if _, err := c.Write(message); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, message); err != nil {
				t.Fatal(err)
			}
		}
	}
	exchange(200) // what is made once
	const requests = 2000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	exchange(requests)
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > requests/100 { // some are the runtime's own
		t.Errorf("%d allocations in %d requests, want none", n, requests)
	}
}
