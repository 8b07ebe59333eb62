package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/service"
	"ringo/sock"
	"ringo/upgrade"
)

// Server is the part that all servers have in common: it listens on each loop, prints where, and prints its counters.
type Server struct {
	Context context.Context // ends when the drain begins
	Options *Options
	Stderr  io.Writer

	// Streams and Datagrams serve a listener and a socket, on each loop.
	Streams   func(l *ringo.Loop, ln *sock.Listener) error
	Datagrams func(l *ringo.Loop, c net.PacketConn) error

	Conns   atomic.Int64      // open connections, for -stats
	Open    func() int        // open connections that Conns does not count; nil: none
	Words   func() string     // appended to each line of -stats; nil: nothing
	Metrics func(w io.Writer) // appended to /metrics, from any goroutine; nil: nothing
	Side    sync.WaitGroup    // goroutines that end when Quit is closed
	Quit    chan struct{}

	places     []*place
	ready      atomic.Int32 // loops that listen
	supervised *service.Manager
	up         *upgrade.Upgrader // nil: SIGHUP does not start the program anew
	grace      *grace
	reloads    sync.Mutex

	mu        sync.Mutex
	listeners []*sock.Listener
}

// Open makes a server and listens at all addresses: from then on peers queue.
func Open(ctx context.Context, o *Options, stderr io.Writer) (*Server, error) {
	m, err := service.New(nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Context: ctx, Options: o, Stderr: stderr, Quit: make(chan struct{}), supervised: m}
	if o.File != "" {
		if s.up, err = upgrade.New(ctx, &upgrade.Config{Signals: []os.Signal{HangUp}, Service: m,
			Log: slog.New(slog.NewTextHandler(stderr, nil))}); err != nil {
			s.Close()
			return nil, err
		}
		s.Context = s.up.Context()
	}
	if s.places, err = s.reserve(o.Listen, o.Limits); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends what runs beside the loops. The loops must have ended.
func (s *Server) Close() {
	close(s.Quit)
	s.Side.Wait()
	if s.up != nil {
		s.up.Close()
	}
	s.supervised.Close()
	release(s.places)
}

// Reload calls fn, which reads files again, and reports begin and end to the service manager. Only one fn runs at a
// time.
func (s *Server) Reload(fn func() error) error {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	return s.supervised.Reload(fn)
}

// Addr returns the first address, with its real port.
func (s *Server) Addr() net.Addr { return s.places[0].addr() }

// Serve is the function of each loop: it listens at all places, then serves them.
func (s *Server) Serve(l *ringo.Loop) error {
	var serving []func() error
	for _, p := range s.places {
		serve, err := s.listen(l, p)
		if err != nil {
			return err
		}
		serving = append(serving, serve)
	}
	s.grace.of(l)
	if loops := l.Loops(); int(s.ready.Add(1)) == len(loops) {
		s.Side.Go(func() { s.tell(loops) })
	}
	g := ringo.NewGroup(l)
	for _, serve := range serving {
		g.Go(serve)
	}
	return g.Wait()
}

// listen opens the loop's socket at a place, and returns the function that serves it.
func (s *Server) listen(l *ringo.Loop, p *place) (serve func() error, err error) {
	if p.set == nil {
		c, err := p.bind(l)
		return func() error { return s.Datagrams(l, c) }, err
	}
	ln, err := p.set.Listen(l)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, ln)
	return func() error { return s.Streams(l, ln) }, nil
}

// OpenConns returns how many connections of streams are open. It is the Open of servers that don't count in Conns.
func (s *Server) OpenConns() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.listeners {
		n += ln.Stats().Open
	}
	return n
}

// tell prints where the loops listen, reports to the service manager, or to the predecessor, that the server is ready,
// and then prints counters. Writing may block, so it runs on an ordinary goroutine.
func (s *Server) tell(loops []*ringo.Loop) {
	names, reasons := drivers(loops)
	var text strings.Builder
	for _, p := range s.places {
		fmt.Fprintf(&text, "listening %s://%v driver=%s loops=%d\n", p.Network, p.addr(), names, len(loops))
	}
	for _, reason := range reasons {
		fmt.Fprintln(&text, reason)
	}
	io.WriteString(s.Stderr, text.String())
	ready := s.supervised.Ready
	if s.up != nil {
		ready = s.up.Ready
	}
	if err := ready(); err != nil {
		fmt.Fprintln(s.Stderr, err)
	}
	for _, l := range loops { // not before: until then a predecessor is the service
		s.supervised.Watch(l)
	}
	if s.Options.Stats > 0 {
		s.printStats(loops)
	}
}

// drivers returns the names of the loops' drivers, usually one; auto may choose another for each loop. reasons say why
// a driver is not uring.
func drivers(loops []*ringo.Loop) (names string, reasons []string) {
	var all []string
	for _, l := range loops {
		info := l.Info()
		if !slices.Contains(all, info.Name) {
			all = append(all, info.Name)
		}
		reason := fmt.Sprintf("driver %s: %s", info.Name, strings.Replace(info.Reason, "Config.Driver", "-driver", 1))
		if info.Name != "uring" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(all, "+"), reasons
}
