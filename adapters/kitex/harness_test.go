package ringokitex_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/discovery"
	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/cloudwego/kitex/pkg/remote/trans/ttstream"
	"github.com/cloudwego/kitex/pkg/rpcinfo"
	"github.com/cloudwego/kitex/pkg/streaming"
	"github.com/cloudwego/kitex/server"
	"github.com/cloudwego/kitex/transport"

	"ringo"
	ringokitex "ringo/adapters/kitex"
	"ringo/adapters/kitex/internal/echo"
	"ringo/internal/hosted"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	klog.SetOutput(io.Discard) // of panics and the like, which tests make on purpose
	hosted.Shared()            // its rings stay, so they are there before the tests
	settle()
	testmain.Main(m)
}

// settle has kitex and netpoll begin what they do not end: pollers, tickers, and the pools of goroutines in which calls
// with timeouts wait.
func settle() {
	s := &service{slow: make(chan struct{})}
	addr, stop := started(s)
	c := called(addr, client.WithTransportProtocol(transport.TTHeader), client.WithRPCTimeout(patience.Max))
	g := called(addr, client.WithTransportProtocol(transport.GRPC))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.call(context.Background(), "Slow", "begin"); err != nil {
				panic(err)
			}
		})
	}
	if err := wantEcho(g, "begin"); err != nil {
		panic(err)
	}
	if err := patience.Poll(nil, func() bool { return s.waiting.Load() == 8 }); err != nil {
		panic(err)
	}
	close(s.slow)
	all.Wait()
	c.close()
	g.close()
	if err := stop(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		panic(err)
	}
}

// A service echoes.
type service struct {
	notes   atomic.Int64
	slow    chan struct{} // closed: Slow returns
	waiting atomic.Int64  // in Slow
	inTask  atomic.Int64  // calls of Echo
}

func (s *service) Echo(_ context.Context, text string) (string, error) {
	if l, _ := ringo.Current(); l != nil {
		s.inTask.Add(1)
	}
	switch {
	case text == "panic":
		panic("as asked")
	case text == "error":
		return "", errors.New("as asked")
	case strings.HasPrefix(text, "much "):
		return strings.Repeat("m", 1<<20), nil
	}
	return text, nil
}

func (s *service) Slow(_ context.Context, text string) (string, error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	<-s.slow
	return text, nil
}

func (s *service) Note(context.Context, string) error { s.notes.Add(1); return nil }

func (s *service) Chat(stream streaming.ServerStream) error {
	for {
		in := new(echo.Text)
		if err := stream.RecvMsg(context.Background(), in); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := stream.SendMsg(context.Background(), in); err != nil {
			return err
		}
	}
}

// started runs a server, whose address and stop it returns.
func started(s echo.Service, opts ...server.Option) (addr string, stop func() error) {
	return startedAt("127.0.0.1:0", s, opts...)
}

func startedAt(at string, s echo.Service, opts ...server.Option) (addr string, stop func() error) {
	ln, err := net.Listen(networkOf(at), at)
	if err != nil {
		panic(err)
	}
	exit := make(chan error)
	opts = append([]server.Option{server.WithListener(ln), server.WithServerBasicInfo(&rpcinfo.EndpointBasicInfo{
		ServiceName: "Echo"}), server.WithExitSignal(func() <-chan error { return exit }),
		server.WithCompatibleMiddlewareForUnary()}, opts...)
	srv := server.NewServer(opts...)
	if err := srv.RegisterService(echo.Info(true), s); err != nil {
		panic(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- srv.Run() }()
	return ln.Addr().String(), func() error {
		err := srv.Stop()
		close(exit)
		ln.Close()
		return errors.Join(err, <-ran)
	}
}

// networkOf is that of an address: a path is a Unix socket.
func networkOf(at string) string {
	if filepath.IsAbs(at) {
		return "unix"
	}
	return "tcp"
}

// ways are those in which a service is run.
var ways = []string{"goroutine", "task"}

// serve runs a service on Ringo, until the test ends.
func serve(t *testing.T, cfg ringo.Config, way string, s echo.Service, opts ...server.Option) (addr string) {
	t.Helper()
	addr, stop := started(s, append(onRingo(cfg, way), opts...)...)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return addr
}

// onRingo is the transport.
func onRingo(cfg ringo.Config, way string) []server.Option {
	return []server.Option{server.WithTransServerFactory(ringokitex.NewTransServerFactory(&ringokitex.Config{Run: &cfg,
		Tasks: way == "task"}))}
}

// eachWay runs f for each driver and way.
func eachWay(t *testing.T, f func(t *testing.T, cfg ringo.Config, way string)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range ways {
			t.Run(way, func(t *testing.T) { f(t, cfg, way) })
		}
	})
}

// A caller is a client of the service.
type caller struct{ client.Client }

// called makes a client, of netpoll's if no option says otherwise.
func called(addr string, opts ...client.Option) caller {
	c, err := client.NewClient(echo.Info(true), append([]client.Option{client.WithDestService("Echo"),
		client.WithTag("at", addr), client.WithResolver(byTag), client.WithConnectTimeout(patience.Max),
		client.WithTTHeaderStreamingOptions(client.WithTTHeaderStreamingTransportOptions( // others have goroutines
			ttstream.WithClientShortConnPool()))}, opts...)...)
	if err != nil {
		panic(err)
	}
	return caller{c}
}

// byTag is one resolver for all clients, as kitex keeps a goroutine of each for ever.
var byTag = &discovery.SynthesizedResolver{
	TargetFunc: func(_ context.Context, to rpcinfo.EndpointInfo) string {
		at, _ := to.Tag("at")
		return at
	},
	ResolveFunc: func(_ context.Context, at string) (discovery.Result, error) {
		instance := discovery.NewInstance(networkOf(at), at, discovery.DefaultWeight, nil)
		return discovery.Result{Cacheable: true, CacheKey: at, Instances: []discovery.Instance{instance}}, nil
	},
	NameFunc: func() string { return "by tag" },
}

// slowOnly gives calls of Slow little time, and others all there is.
type slowOnly struct{}

func (slowOnly) Timeouts(ri rpcinfo.RPCInfo) rpcinfo.Timeouts { return slowOnlyOf(ri.To().Method()) }

type slowOnlyOf string

func (m slowOnlyOf) RPCTimeout() time.Duration {
	if m == "Slow" {
		return 20 * time.Millisecond
	}
	return patience.Max
}
func (slowOnlyOf) ConnectTimeout() time.Duration   { return patience.Max }
func (slowOnlyOf) ReadWriteTimeout() time.Duration { return patience.Max }

// callFor makes a client, until the test ends.
func callFor(t *testing.T, addr string, opts ...client.Option) caller {
	c := called(addr, opts...)
	t.Cleanup(c.close)
	return c
}

func (c caller) close() { _ = c.Client.(io.Closer).Close() }

func (c caller) echo(ctx context.Context, text string) (string, error) {
	return c.call(ctx, "Echo", text)
}

func (c caller) call(ctx context.Context, method, text string) (string, error) {
	var r echo.Result
	err := c.Call(ctx, method, &echo.Text{Text: text}, &r)
	return r.Text, err
}

// wantEcho wants text back.
func wantEcho(c caller, text string) error {
	got, err := c.echo(context.Background(), text)
	if err != nil {
		return err
	}
	if got != text {
		return fmt.Errorf("got %d bytes back, of %d", len(got), len(text))
	}
	return nil
}
