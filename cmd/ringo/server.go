package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ringo"
	"ringo/sock"
)

// server is what all servers have in common: it listens on each loop, says where, and
// prints its counters.
type server struct {
	ctx    context.Context // ends with the drain's begin
	o      *options
	places []*place
	stderr io.Writer

	// What is served, on each loop.
	streams   func(l *ringo.Loop, ln *sock.Listener) error
	datagrams func(l *ringo.Loop, c net.PacketConn) error

	ready atomic.Int32  // loops that listen
	conns atomic.Int64  // connections, for -stats
	words func() string // what a line of -stats has more; nil: nothing
	quit  chan struct{}
	side  sync.WaitGroup // what writes to stderr
}

func newServer(ctx context.Context, o *options, places []*place, stderr io.Writer) *server {
	return &server{ctx: ctx, o: o, places: places, stderr: stderr, quit: make(chan struct{})}
}

// serve is what each loop does: it listens at all places, then serves them.
func (s *server) serve(l *ringo.Loop) error {
	var serving []func() error
	for _, p := range s.places {
		serve, err := s.listen(l, p)
		if err != nil {
			return err
		}
		serving = append(serving, serve)
	}
	if loops := l.Loops(); int(s.ready.Add(1)) == len(loops) {
		s.side.Go(func() { s.tell(loops) })
	}
	g := ringo.NewGroup(l)
	for _, serve := range serving {
		g.Go(serve)
	}
	return g.Wait()
}

// listen opens the loop's socket at a place, and gives what serves it.
func (s *server) listen(l *ringo.Loop, p *place) (serve func() error, err error) {
	if p.set == nil {
		c, err := p.bind(l)
		return func() error { return s.datagrams(l, c) }, err
	}
	ln, err := p.set.Listen(l)
	return func() error { return s.streams(l, ln) }, err
}

// tell says where all loops listen now, then prints the counters. Writing may wait,
// so it runs on an ordinary goroutine.
func (s *server) tell(loops []*ringo.Loop) {
	names, reasons := drivers(loops)
	var text strings.Builder
	for _, p := range s.places {
		fmt.Fprintf(&text, "listening %s://%v driver=%s loops=%d\n", p.network, p.addr(), names, len(loops))
	}
	for _, reason := range reasons {
		fmt.Fprintln(&text, reason)
	}
	io.WriteString(s.stderr, text.String())
	if s.o.stats > 0 {
		s.printStats(loops)
	}
}

// stop ends what runs beside the loops.
func (s *server) stop() {
	close(s.quit)
	s.side.Wait()
}

// drivers names the loops' driver, or drivers, for auto chooses for each loop, and
// says why it is not uring.
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
