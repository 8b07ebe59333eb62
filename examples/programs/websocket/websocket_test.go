package main

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"ringo"
	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
)

// roles are what the test binary can be instead of tests.
var roles = map[string]rig.Role{}

func TestMain(m *testing.M) {
	rig.Play(roles)
	testmain.Main(m)
}

// What main does.
func TestRun(t *testing.T) { rig.Prints(t, run, "hello\n") }

// Messages small and large go there and back, by several clients at once, which ping
// and then close in order.
func TestEcho(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		ln := r.Listen()
		server := &http.Server{Handler: http.HandlerFunc(echo)}
		ended := make(chan error)
		go func() { ended <- server.Serve(ln) }()
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() { talk(ctx, t, r.Loops[1], ln.Addr().String()) })
		}
		clients.Wait()
		server.Shutdown(ctx)
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
}

func talk(ctx context.Context, t *testing.T, l *ringo.Loop, address string) {
	c, err := dial(ctx, l, address)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.CloseNow()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		want := bytes.Repeat([]byte("x"), size)
		if err := c.Write(ctx, websocket.MessageBinary, want); err != nil {
			t.Error(err)
			return
		}
		if _, p, err := c.Read(ctx); err != nil || !bytes.Equal(p, want) {
			t.Errorf("a message of %d came back with %d, %v", size, len(p), err)
			return
		}
	}
	pinging := c.CloseRead(ctx) // which reads the pong
	if err := c.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("Close: %v", err)
	}
	<-pinging.Done()
}
