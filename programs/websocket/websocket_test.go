package websocket

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"ringo/internal/testmain"
	"ringo/programs/internal/rig"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// echo sends each message back, until the client closes.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(2 << 20)
	for {
		kind, p, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, p) != nil {
			return
		}
	}
}

// Messages small and large go there and back, by several clients at once, which ping
// and then close in order.
func TestEcho(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		r := rig.Loops(t, driver, 2)
		ln := r.Listen()
		server := &http.Server{Handler: http.HandlerFunc(echo)}
		ended := make(chan error)
		go func() { ended <- server.Serve(ln) }()
		client := &http.Client{Transport: &http.Transport{DialContext: r.DialContext}}
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() { talk(ctx, t, "ws://"+ln.Addr().String(), client) })
		}
		clients.Wait()
		server.Shutdown(ctx)
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
}

func talk(ctx context.Context, t *testing.T, url string, client *http.Client) {
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(2 << 20)
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
