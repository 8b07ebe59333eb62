package ringohertz_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/protocol"

	"ringo"
	ringohertz "ringo/adapters/hertz"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	hlog.SetLevel(hlog.LevelFatal)
	protocol.ServerDateOnce.Do(protocol.UpdateServerDate) // whose goroutine stays
	testmain.Main(m)
}

// each plays a test on each driver, with handlers on goroutines and in tasks.
func each(t *testing.T, test func(t *testing.T, cfg *ringohertz.Config)) {
	usable := func(driver string) error {
		return ringo.Run(t.Context(), &ringo.Config{Driver: driver, Loops: 1}, func(*ringo.Loop) error { return nil })
	}
	testmain.EachDriver(t, usable, func(t *testing.T, driver string) {
		for name, tasks := range map[string]bool{"goroutines": false, "tasks": true} {
			t.Run(name, func(t *testing.T) {
				test(t, &ringohertz.Config{Tasks: tasks, Run: &ringo.Config{Driver: driver, Loops: 2}})
			})
		}
	})
}

// A served is a hertz server that runs.
type served struct {
	*server.Hertz
	addr  string
	ended chan error
}

// started starts a server with some routes on any transport.
func started(t testing.TB, newer func(*config.Options) network.Transporter, routes func(h *server.Hertz),
	options ...config.Option) *served {
	t.Helper()
	var transport network.Transporter
	options = append([]config.Option{server.WithHostPorts("127.0.0.1:0"), server.WithDisablePrintRoute(true),
		server.WithTransport(func(o *config.Options) network.Transporter {
			transport = newer(o)
			return transport
		})}, options...)
	s := &served{Hertz: server.New(options...), ended: make(chan error, 1)}
	routes(s.Hertz)
	go func() { s.ended <- s.Run() }()
	patience.Until(t, "the server runs", s.IsRunning)
	s.addr = transport.(interface{ Listener() net.Listener }).Listener().Addr().String()
	return s
}

// serve is started on Ringo's loops, until the test's end.
func serve(t testing.TB, cfg *ringohertz.Config, routes func(h *server.Hertz), options ...config.Option) *served {
	t.Helper()
	s := started(t, cfg.NewTransporter, routes, options...)
	t.Cleanup(func() {
		s.Close()
		if err := patience.Recv(t, "the end of the server", s.ended); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return s
}

// shutdown ends a server in order.
func (s *served) shutdown(t testing.TB) {
	t.Helper()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// client is net/http's, with connections of its own.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A peer is a bare connection to a server.
type peer struct {
	net.Conn
	*bufio.Reader
}

func (p peer) Read(b []byte) (int, error) { return p.Reader.Read(b) }

func dial(t testing.TB, network, addr string) peer {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return peer{c, bufio.NewReader(c)}
}

// answer reads an answer.
func (p peer) answer(t testing.TB) *http.Response {
	t.Helper()
	r, err := http.ReadResponse(p.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
