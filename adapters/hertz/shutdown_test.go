package ringohertz_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/network"

	"ringo"
	ringohertz "ringo/adapters/hertz"
	"ringo/internal/test/patience"
)

// While clients ask all the time, the server is shut down: each of their requests is answered, the last with
// Connection: close.
func TestShutdownUnderLoad(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		cfg.Linger = time.Minute
		s := serve(t, cfg, routes, server.WithExitWaitTime(time.Minute))
		var (
			clients  sync.WaitGroup
			answered atomic.Int64
		)
		for i := range 20 {
			p := dial(t, "tcp", s.addr)
			clients.Go(func() {
				body := pattern(1 + 997*i)
				for {
					if closed, err := post(p, body); err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					} else if closed {
						answered.Add(1)
						return
					}
					answered.Add(1)
				}
			})
		}
		patience.Until(t, "some requests", func() bool { return answered.Load() > 500 })
		s.shutdown(t)
		clients.Wait()
	})
}

// post makes a request on a kept connection, and says whether the server closes that.
func post(p peer, body []byte) (closed bool, err error) {
	fmt.Fprintf(p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(body))
	p.Write(body)
	r, err := http.ReadResponse(p.Reader, nil)
	if err != nil {
		return false, err
	}
	got, err := io.ReadAll(r.Body)
	if err == nil && !bytes.Equal(got, body) {
		err = fmt.Errorf("%d bytes of %d came back", len(got), len(body))
	}
	return r.Close, err
}

// Shutdown ends connections between two requests at once, and those that have made none, without a word. It waits for
// the answer of the others.
func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		var accepted atomic.Int64
		handling, goOn := ringo.NewChan[struct{}](1), ringo.NewChan[struct{}](1)
		s := serve(t, cfg, func(h *server.Hertz) {
			routes(h)
			h.GET("/wait", func(_ context.Context, ctx *app.RequestContext) {
				handling.Send(struct{}{})
				goOn.Recv()
				ctx.String(http.StatusOK, "waited")
			})
		}, server.WithExitWaitTime(time.Minute), server.WithOnAccept(func(net.Conn) context.Context {
			accepted.Add(1)
			return context.Background()
		}))
		fresh, idle, busy := dial(t, "tcp", s.addr), dial(t, "tcp", s.addr), dial(t, "tcp", s.addr)
		patience.Until(t, "all are accepted", func() bool { return accepted.Load() == 3 })
		if _, err := post(idle, []byte("x")); err != nil {
			t.Fatal(err)
		}
		io.WriteString(busy, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		handling.Recv()
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.Background()) }()
		for _, p := range []peer{idle, fresh} {
			if rest, err := io.ReadAll(p); err != nil || len(rest) != 0 {
				t.Errorf("an idle connection ends with %q, %v", rest, err)
			}
		}
		goOn.Send(struct{}{})
		r := busy.answer(t)
		if got, err := io.ReadAll(r.Body); err != nil || string(got) != "waited" || !r.Close {
			t.Errorf("%q, close is %v, %v", got, r.Close, err)
		}
		if err := patience.Recv(t, "the end of Shutdown", ended); err != nil {
			t.Error(err)
		}
	})
}

// A connection between two requests may send one more while it lingers, and ends if it does not.
func TestLinger(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		cfg.Linger = 200 * time.Millisecond
		s := serve(t, cfg, routes, server.WithExitWaitTime(time.Minute))
		silent := dial(t, "tcp", s.addr)
		if _, err := post(silent, []byte("x")); err != nil {
			t.Fatal(err)
		}
		s.shutdown(t)
		if rest, err := io.ReadAll(silent); err != nil || len(rest) != 0 {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// A request that comes on a connection that lingers is answered, and is the last.
func TestLingerAnswers(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		cfg.Linger = 24 * time.Hour
		s := serve(t, cfg, routes, server.WithExitWaitTime(24*time.Hour))
		p := dial(t, "tcp", s.addr)
		if closed, err := post(p, []byte("x")); closed || err != nil {
			t.Fatal(closed, err)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.Background()) }()
		patience.Until(t, "the server listens no more", func() bool {
			c, err := net.Dial("tcp", s.addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		if closed, err := post(p, []byte("y")); !closed || err != nil {
			t.Errorf("closed is %v, %v", closed, err)
		}
		if err := patience.Recv(t, "the end of Shutdown", ended); err != nil {
			t.Error(err)
		}
	})
}

// What has taken a connection over goes on while the server shuts down, whether its client has spoken before or not.
func TestHijackedDrain(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		cfg.Run.Loops = 1
		begun := ringo.NewChan[struct{}](1)
		s := serve(t, cfg, func(h *server.Hertz) {
			routes(h)
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				ctx.Hijack(func(c network.Conn) {
					begun.Send(struct{}{})
					io.Copy(c, c)
				})
			})
		}, server.WithExitWaitTime(24*time.Hour))
		idle, spoken, silent := dial(t, "tcp", s.addr), dial(t, "tcp", s.addr), dial(t, "tcp", s.addr)
		if _, err := post(idle, []byte("x")); err != nil {
			t.Fatal(err)
		}
		says := func(p peer, what string) {
			io.WriteString(p, "x")
			if b, err := p.ReadByte(); b != 'x' || err != nil {
				t.Errorf("%s: %q, %v", what, b, err)
			}
		}
		for _, p := range []peer{spoken, silent} {
			io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			p.answer(t)
			begun.Recv()
		}
		says(spoken, "before Shutdown")
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.Background()) }()
		if rest, err := io.ReadAll(idle); err != nil || len(rest) != 0 {
			t.Errorf("the idle connection ends with %q, %v", rest, err)
		}
		says(spoken, "whose client has spoken before")
		says(silent, "whose client had not spoken")
		spoken.Close()
		silent.Close()
		if err := patience.Recv(t, "the end of Shutdown", ended); err != nil {
			t.Error(err)
		}
	})
}

// What has not ended when the context of Shutdown does goes on, and Close cuts it off.
func TestCutOff(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		for _, name := range []string{"Close", "Shutdown"} {
			began, reading := make(chan bool, 1), ringo.NewChan[error](1)
			s := serve(t, cfg, func(h *server.Hertz) {
				h.POST("/", func(_ context.Context, ctx *app.RequestContext) {
					began <- true
					_, err := io.ReadAll(ctx.RequestBodyStream())
					reading.Send(err)
				})
			}, server.WithStreamBody(true), server.WithExitWaitTime(24*time.Hour))
			p := dial(t, "tcp", s.addr)
			io.WriteString(p, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf")
			io.WriteString(p, string(pattern(20000)))
			patience.Recv(t, "the request", began)
			if name == "Shutdown" {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				if err := s.Shutdown(ctx); err != nil { // hertz has none for the context's end
					t.Error(err)
				}
				cancel()
				if err, ok := reading.TryRecv(); ok {
					t.Errorf("Shutdown ends a request: %v", err)
				}
			}
			if err := s.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			io.ReadAll(p)
			if err := patience.Recv(t, "the end of Run", s.ended); err != nil {
				t.Errorf("%s: Run: %v", name, err)
			}
			s.ended <- nil
		}
	})
}

// Another server on the address is an error of Run.
func TestAddressInUse(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes)
		h := server.New(server.WithTransport(cfg.NewTransporter), server.WithHostPorts(s.addr))
		if err := h.Run(); err == nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Run: %v", err)
		}
	})
}
