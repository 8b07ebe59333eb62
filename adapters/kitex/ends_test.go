package ringokitex_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/gopkg/protocol/thrift"
	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/kerrors"
	"github.com/cloudwego/kitex/pkg/remote"
	"github.com/cloudwego/kitex/pkg/transmeta"
	"github.com/cloudwego/kitex/server"
	"github.com/cloudwego/kitex/transport"

	"ringo"
	ringokitex "ringo/adapters/kitex"
	"ringo/adapters/kitex/internal/echo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// A watched transport is one whose connections can be counted.
type watched struct {
	remote.TransServerFactory
	made remote.TransServer
	at   chan net.Addr
}

func (w *watched) NewTransServer(opt *remote.ServerOption, h remote.ServerTransHandler) remote.TransServer {
	w.made = w.TransServerFactory.NewTransServer(opt, h)
	return listening{w.made, w.at}
}

// listening tells where a server listens.
type listening struct {
	remote.TransServer
	at chan net.Addr
}

func (l listening) CreateListener(addr net.Addr) (net.Listener, error) {
	ln, err := l.TransServer.CreateListener(addr)
	if err == nil {
		l.at <- ln.Addr()
	}
	return ln, err
}

func watch(cfg ringo.Config, way string) *watched {
	return &watched{TransServerFactory: ringokitex.NewTransServerFactory(&ringokitex.Config{Run: &cfg,
		Tasks: way == "task"}), at: make(chan net.Addr, 1)}
}

// none waits until no connection is open.
func (w *watched) none(t *testing.T) {
	t.Helper()
	patience.Until(t, "the connections' end", func() bool { n := w.made.ConnCount(); return n.Value() == 0 })
}

// request is a framed call of Echo.
func request(text string) []byte {
	args := &echo.Text{Text: text}
	p := make([]byte, 4+thrift.Binary.MessageBeginLength("Echo")+args.BLength())
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	n := 4 + thrift.Binary.WriteMessageBegin(p[4:], "Echo", thrift.CALL, 1)
	args.FastWriteNocopy(p[n:], nil)
	return p
}

// dial connects without kitex.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return c.(*net.TCPConn)
}

// answer reads an answer that is to have text.
func answer(c net.Conn, text string) error {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	p := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c, p); err != nil {
		return err
	}
	if !strings.Contains(string(p), text) {
		return errors.New("the answer has not what was sent")
	}
	return nil
}

// Calls without an answer arrive, and those behind them have theirs.
func TestOneway(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		s := new(service)
		c := callFor(t, serve(t, cfg, way, s), client.WithTransportProtocol(transport.TTHeader))
		for range 10 {
			if err := c.Call(context.Background(), "Note", &echo.Text{Text: "note"}, nil); err != nil {
				t.Fatal(err)
			}
			if err := wantEcho(c, "behind"); err != nil {
				t.Fatal(err)
			}
		}
		patience.Until(t, "the notes", func() bool { return s.notes.Load() == 10 })
	})
}

// A method that fails or panics fails its call alone.
func TestMethodsFail(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		c := callFor(t, serve(t, cfg, way, new(service)), client.WithTransportProtocol(transport.TTHeaderFramed))
		for _, text := range []string{"error", "panic"} {
			if _, err := c.echo(context.Background(), text); err == nil || !strings.Contains(err.Error(), "as asked") {
				t.Errorf("%s: %v", text, err)
			}
			if err := wantEcho(c, "behind"); err != nil {
				t.Errorf("behind %s: %v", text, err)
			}
		}
	})
}

// A panic in what the program has kitex call ends the connection, and no more.
func TestPanicElsewhere(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		var panics atomic.Bool
		panics.Store(true)
		w := watch(cfg, way)
		addr, stop := started(new(service), server.WithTransServerFactory(w),
			server.WithBoundHandler(bound{func() {
				if panics.Load() {
					panic("in a bound handler")
				}
			}}))
		defer stop()
		c := dial(t, addr)
		c.Write(request("text"))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read %d, %v of a connection whose handler had panicked", n, err)
		}
		panics.Store(false)
		c = dial(t, addr)
		c.Write(request("text"))
		if err := answer(c, "text"); err != nil {
			t.Error(err)
		}
		c.Close()
		w.none(t)
	})
}

// A bound handler is called when something can be read.
type bound struct{ read func() }

func (b bound) OnActive(ctx context.Context, _ net.Conn) (context.Context, error) { return ctx, nil }
func (b bound) OnInactive(ctx context.Context, _ net.Conn) context.Context        { return ctx }
func (b bound) OnRead(ctx context.Context, _ net.Conn) (context.Context, error) {
	b.read()
	return ctx, nil
}
func (b bound) OnMessage(ctx context.Context, _, _ remote.Message) (context.Context, error) {
	return ctx, nil
}

// A call that takes too long for its client fails, and those behind it don't.
func TestClientTimeout(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		s := &service{slow: make(chan struct{})}
		var opts []server.Option
		if way == "task" {
			opts = append(opts, server.WithMiddleware(ringokitex.Goroutine("Slow")))
		}
		c := callFor(t, serve(t, cfg, way, s, opts...), client.WithTransportProtocol(transport.Framed),
			client.WithTimeoutProvider(slowOnly{}))
		if _, err := c.call(context.Background(), "Slow", "text"); !errors.Is(err, kerrors.ErrRPCTimeout) {
			t.Errorf("a slow call: %v", err)
		}
		if err := wantEcho(c, "behind"); err != nil {
			t.Error(err)
		}
		close(s.slow)
		patience.Until(t, "the slow call's end", func() bool { return s.waiting.Load() == 0 })
	})
}

// Peers that send slowly are answered, and those that stop in a message are left.
func TestSlowPeers(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		w := watch(cfg, way)
		addr, stop := started(new(service), server.WithTransServerFactory(w))
		defer stop()
		c := dial(t, addr)
		c.SetNoDelay(true)
		for _, b := range request("slowly") {
			c.Write([]byte{b})
		}
		if err := answer(c, "slowly"); err != nil {
			t.Error(err)
		}
		c.Close()
		w.none(t)
	})
}

func TestReadTimeout(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		for _, part := range []int{1, 5, 20} {
			addr := serve(t, cfg, way, new(service), server.WithReadWriteTimeout(20*time.Millisecond))
			c := dial(t, addr)
			c.Write(request("half")[:part])
			if _, err := io.ReadAll(c); err != nil && !isReset(err) {
				t.Errorf("%d bytes: %v", part, err)
			}
		}
	})
}

func isReset(err error) bool {
	return strings.Contains(err.Error(), "reset by peer")
}

// Messages that come at once are answered in order, one that has come in part when the rest is there.
func TestPipelined(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		c := dial(t, serve(t, cfg, way, new(service)))
		texts := []string{"first", strings.Repeat("second", 10_000), "third", "much 4", "fifth"}
		var all []byte
		for _, text := range texts {
			all = append(all, request(text)...)
		}
		half := request("sixth")
		go func() {
			c.Write(append(all, half[:9]...))
		}()
		texts[3] = strings.Repeat("m", 1<<20)
		for _, text := range texts {
			if err := answer(c, text); err != nil {
				t.Fatal(err)
			}
		}
		c.Write(half[9:])
		if err := answer(c, "sixth"); err != nil {
			t.Fatal(err)
		}
	})
}

// Peers that reset, at any byte of a message, are forgotten.
func TestResets(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		w := watch(cfg, way)
		addr, stop := started(new(service), server.WithTransServerFactory(w))
		defer stop()
		text := request("much to be sent")
		for part := range len(text) + 1 {
			c := dial(t, addr)
			c.Write(text[:part])
			c.SetLinger(0)
			c.Close()
		}
		c := dial(t, addr)
		c.Write(request("text"))
		if err := answer(c, "text"); err != nil {
			t.Error(err)
		}
		c.Close()
		w.none(t)
	})
}

// A peer that does not read its answers stops nobody else.
func TestUnread(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		cfg.Loops = 1
		w := watch(cfg, way)
		addr, stop := started(new(service), server.WithTransServerFactory(w))
		defer stop()
		full := dial(t, addr)
		go func() {
			for range 100 {
				if _, err := full.Write(request("much")); err != nil {
					return
				}
			}
		}()
		for range 100 {
			full.Write(request("much "))
		}
		c := dial(t, addr)
		for range 100 {
			c.Write(request("text"))
			if err := answer(c, "text"); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		full.SetLinger(0)
		full.Close()
		w.none(t)
	})
}

// Calls that are under way when the server stops have their answers, and clients that use TTHeader are told to leave.
func TestStopUnderLoad(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		s := new(service)
		addr, stop := started(s, onRingo(cfg, way)[0], server.WithMetaHandler(transmeta.ServerTTHeaderHandler))
		c := callFor(t, addr, client.WithTransportProtocol(transport.TTHeader),
			client.WithMetaHandler(transmeta.ClientTTHeaderHandler))
		var stopping atomic.Bool
		var calls atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for !stopping.Load() {
					if err := wantEcho(c, strings.Repeat("x", 1000)); err != nil {
						t.Error("a call failed: ", err)
						return
					}
					calls.Add(1)
				}
			})
		}
		patience.Until(t, "some calls", func() bool { return calls.Load() > 200 })
		stopping.Store(true)
		if err := stop(); err != nil {
			t.Error(err)
		}
		all.Wait()
	})
}

// Slow calls, too.
func TestStopWaits(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		s := &service{slow: make(chan struct{})}
		addr, stop := started(s, onRingo(cfg, way)[0], server.WithMiddleware(ringokitex.Goroutine()),
			server.WithExitWaitTime(patience.Max))
		c := callFor(t, addr, client.WithTransportProtocol(transport.TTHeader))
		answers := make(chan error)
		for range 8 {
			go func() {
				_, err := c.call(context.Background(), "Slow", "text")
				answers <- err
			}()
		}
		patience.Until(t, "the calls", func() bool { return s.waiting.Load() == 8 })
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		untilRefused(t, addr)
		close(s.slow)
		for range 8 {
			if err := patience.Recv(t, "an answer", answers); err != nil {
				t.Error(err)
			}
		}
		if err := patience.Recv(t, "the end", stopped); err != nil {
			t.Error(err)
		}
	})
}

// What does not end in time is cut off, and Stop says so.
func TestStopCuts(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		s := &service{slow: make(chan struct{})}
		addr, stop := started(s, onRingo(cfg, way)[0], server.WithMiddleware(ringokitex.Goroutine()),
			server.WithExitWaitTime(20*time.Millisecond))
		c := callFor(t, addr, client.WithTransportProtocol(transport.TTHeader))
		failed := make(chan error, 1)
		go func() {
			_, err := c.call(context.Background(), "Slow", "text")
			failed <- err
		}()
		patience.Until(t, "the call", func() bool { return s.waiting.Load() == 1 })
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		untilRefused(t, addr)
		if err := patience.Recv(t, "the call's end", failed); err == nil {
			t.Error("a call was answered that had been cut off")
		}
		close(s.slow)
		if err := patience.Recv(t, "the end", stopped); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
	})
}

// What can't be done is said.
func TestUnsupported(t *testing.T) {
	for name, opt := range map[string]server.Option{"mux": server.WithMuxTransport()} {
		srv := server.NewServer(opt, server.WithTransServerFactory(ringokitex.NewTransServerFactory(nil)),
			server.WithServiceAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}),
			server.WithExitSignal(func() <-chan error { return nil }))
		if err := srv.RegisterService(echo.Info(true), new(service)); err != nil {
			t.Fatal(err)
		}
		if err := srv.Run(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	srv := server.NewServer(server.WithTransServerFactory(ringokitex.NewTransServerFactory(nil)),
		server.WithListener(foreign{}), server.WithExitSignal(func() <-chan error { return nil }))
	if err := srv.RegisterService(echo.Info(true), new(service)); err != nil {
		t.Fatal(err)
	}
	if err := srv.Run(); err == nil || !strings.Contains(err.Error(), "foreign") {
		t.Errorf("a listener that has no descriptor: %v", err)
	}
}

// foreign is a listener of none of package net's types.
type foreign struct{}

func (foreign) Accept() (net.Conn, error) { select {} }
func (foreign) Close() error              { return nil }
func (foreign) Addr() net.Addr            { return &net.TCPAddr{} }

// The transport listens for itself, too.
func TestAddresses(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		path := filepath.Join(t.TempDir(), "socket")
		for range 2 { // the second finds the first one's file
			for _, at := range []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)},
				&net.UnixAddr{Name: path, Net: "unix"}} {
				w := watch(cfg, "task")
				_, stop := started(new(service), server.WithTransServerFactory(w), server.WithListener(nil),
					server.WithServiceAddr(at))
				addr := patience.Recv(t, "the address", w.at)
				c, err := net.Dial(addr.Network(), addr.String())
				if err != nil {
					t.Fatal(err)
				}
				c.SetDeadline(patience.Deadline())
				c.Write(request("text"))
				if err := answer(c, "text"); err != nil {
					t.Error(err)
				}
				c.Close()
				if err := stop(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// A connection that is at rest when the server stops is served for a while: a request may be under way.
func TestDrainServes(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		w := watch(cfg, way)
		addr, stop := started(new(service), server.WithTransServerFactory(w))
		c := dial(t, addr)
		ask := func() error {
			c.Write(request("text"))
			return answer(c, "text")
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		patience.Until(t, "the drain", func() bool { // each request moves the end
			if err := ask(); err != nil {
				t.Error(err)
				return true
			}
			other, err := net.Dial("tcp", addr)
			if err == nil {
				other.Close()
			}
			return err != nil
		})
		if err := ask(); err != nil {
			t.Error("in the drain: ", err)
		}
		if err := patience.Recv(t, "the end", stopped); err != nil {
			t.Error(err)
		}
	})
}

// The middleware has a server in tasks call what waits on goroutines.
func TestGoroutine(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, test := range []struct {
			names  []string
			inTask int64
		}{{nil, 0}, {[]string{"Echo"}, 0}, {[]string{"Slow"}, 1}} {
			s := new(service)
			c := callFor(t, serve(t, cfg, "task", s, server.WithMiddleware(ringokitex.Goroutine(test.names...))),
				client.WithTransportProtocol(transport.Framed))
			if err := wantEcho(c, "text"); err != nil {
				t.Error(err)
			}
			if got := s.inTask.Load(); got != test.inTask {
				t.Errorf("with %q %d calls were in tasks", test.names, got)
			}
		}
	})
}

// An address is free when Stop has returned, also while a client has a connection to what was there.
func TestRestart(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg ringo.Config, way string) {
		var at net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
		for i := range 4 {
			w := watch(cfg, way)
			opts := []server.Option{server.WithTransServerFactory(w), server.WithListener(nil),
				server.WithServiceAddr(at)}
			if i%2 == 0 { // its connections are cut off
				opts = append(opts, server.WithExitWaitTime(time.Microsecond))
			}
			_, stop := started(new(service), opts...)
			at = patience.Recv(t, "the address", w.at)
			c := dial(t, at.String())
			c.Write(request("text"))
			if err := answer(c, "text"); err != nil {
				t.Fatal(err)
			}
			if err := stop(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
	})
}

// untilRefused waits until nothing is accepted at an address.
func untilRefused(t *testing.T, addr string) {
	t.Helper()
	patience.Until(t, "the end of accepting", func() bool {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
}
