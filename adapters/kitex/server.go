package ringokitex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/cloudwego/kitex/pkg/remote"
	"github.com/cloudwego/kitex/pkg/remote/trans"
	"github.com/cloudwego/kitex/pkg/utils"

	"ringo"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/sock"
)

// linger is how long a connection at rest is still served in a drain, so that requests on their way arrive.
const linger = 100 * time.Millisecond

// idleLeast is how long a connection may rest if the server's own time is shorter. It is more than clients keep theirs
// by default, and what kitex's gonet has.
const idleLeast = 2 * time.Minute

// messageMax is the longest message, in bytes, that the connection's task receives before a goroutine gets it.
const messageMax = 64 << 20

// NewTransServerFactory makes the transport of kitex servers, for server.WithTransServerFactory. Each server has loops
// of its own, by ringo.Run, until its Run returns. Any goroutine may call it, and may call Run and Stop of the server;
// a task may not, since its loop would stop.
func NewTransServerFactory(cfg *Config) remote.TransServerFactory {
	f := new(factory)
	if cfg != nil {
		f.cfg = *cfg
	}
	return f
}

type factory struct{ cfg Config }

// NewTransServer makes the transport of one server.
func (f *factory) NewTransServer(opt *remote.ServerOption, handler remote.ServerTransHandler) remote.TransServer {
	return &server{cfg: f.cfg, opt: opt, handler: handler, kind: kindFrom(opt.SvrHandlerFactory),
		ended: make(chan struct{}), conns: map[*conn]struct{}{}}
}

// A server is the transport of one server.
type server struct {
	cfg     Config
	opt     *remote.ServerOption
	handler remote.ServerTransHandler
	kind    kind // of all connections

	draining atomic.Bool
	ended    chan struct{} // closed when the loops have ended

	mu    sync.Mutex
	stop  context.CancelFunc // nil until the loops run, or Shutdown is called
	runs  bool
	conns map[*conn]struct{}
	lns   []io.Closer // all that listens
}

// A listener is the sockets of all loops, which accept for themselves.
type listener struct{ *sock.ListenerSet }

// Accept fails: the loops accept.
func (listener) Accept() (net.Conn, error) {
	return nil, unsupported("Accept", "the loops of the server accept")
}

// CreateListener listens on an address of network tcp, tcp4, tcp6 or unix. The kernel queues peers from now on. Any
// goroutine may call it.
func (s *server) CreateListener(addr net.Addr) (net.Listener, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	lc := s.cfg.Listen
	if s.opt.ReusePort {
		lc.AllowShared = true
	}
	if addr.Network() == "unix" { // like kitex with netpoll: remove what an earlier run has left
		if err := os.Remove(addr.String()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("ringokitex: the socket that is there can't be removed: %w", err)
		}
	}
	set, err := lc.Reserve(addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	return listener{set}, nil
}

// check returns an error if the server's options need something that the transport can't do.
func (s *server) check() error {
	if m, ok := s.opt.SvrHandlerFactory.(trans.MuxEnabledFlag); ok && m.MuxEnabled() {
		return unsupported("server.WithMuxTransport", "netpollmux works with netpoll's poller alone")
	}
	return nil
}

// setOf returns the sockets of all loops, from CreateListener or from a listener of the program.
func (s *server) setOf(ln net.Listener) (*sock.ListenerSet, error) {
	if own, ok := ln.(listener); ok {
		return own.ListenerSet, nil
	}
	if ln == nil {
		return nil, errors.New("ringokitex: the server has no listener")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	set, err := s.cfg.Listen.AdoptSet(ln)
	if err != nil {
		return nil, fmt.Errorf("ringokitex: a listener of type %T, which is to be one of package net's: %w", ln, err)
	}
	return set, nil
}

// BootstrapServer serves a listener until Shutdown, on loops of its own. Any goroutine may call it, once.
func (s *server) BootstrapServer(ln net.Listener) error {
	defer close(s.ended) // last: by then the address is free
	set, err := s.setOf(ln)
	if err != nil {
		return err
	}
	s.listens(ln)
	s.listens(set)
	defer s.closeListeners()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if !s.begin(stop) {
		return nil
	}
	h := &sock.Handler{Open: s.open, Request: s.request, Closed: s.closed, Drain: s.drain}
	return ringo.Run(ctx, s.run(), func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		s.listens(ln)
		if err = sock.Serve(l, ln, h); err != nil {
			s.cut()
		}
		return err
	})
}

// begin notes that the loops run. It returns false if the server was shut down before.
func (s *server) begin(stop context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return false
	}
	s.stop, s.runs = stop, true
	return true
}

// run returns the configuration of the loops.
func (s *server) run() *ringo.Config {
	var cfg ringo.Config
	if s.cfg.Run != nil {
		cfg = *s.cfg.Run
	}
	if cfg.Grace == 0 { // by the end of ExitWaitTime Shutdown has cut off the connections
		cfg.Grace = s.opt.ExitWaitTime + time.Second
	}
	return &cfg
}

// Shutdown ends the connections, as the package's documentation says, and waits for them until ExitWaitTime is over.
// Any goroutine may call it.
func (s *server) Shutdown() error {
	s.mu.Lock()
	stop, runs := s.stop, s.runs
	s.stop = func() {}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), s.opt.ExitWaitTime)
	defer cancel()
	s.warn(ctx)
	if stop != nil {
		stop()
	}
	if !runs {
		return nil
	}
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
	}
	s.closeListeners()
	if s.cut() > 0 {
		return ctx.Err()
	}
	<-s.ended
	return nil
}

// listens notes a listener that has to be closed for the address to be free.
func (s *server) listens(ln io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lns = append(s.lns, ln)
}

// closeListeners frees the address.
func (s *server) closeListeners() {
	s.mu.Lock()
	lns := s.lns
	s.lns = nil
	s.mu.Unlock()
	for _, ln := range lns {
		_ = ln.Close() // it may be closed already
	}
}

// cut closes all connections, so that goroutines which serve them stop waiting for the peers. It returns their number.
func (s *server) cut() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.CloseSoon()
	}
	return len(s.conns)
}

// keep notes a new connection, or its end.
func (s *server) keep(c *conn, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open {
		s.conns[c] = struct{}{}
	} else {
		delete(s.conns, c)
	}
}

// warn makes the transport handlers tell clients that the server is about to end. It waits for that, but no longer
// than linger: handlers of streams return only when these have ended.
func (s *server) warn(ctx context.Context) {
	g, ok := s.handler.(remote.GracefulShutdown)
	if !ok {
		return
	}
	warned := make(chan struct{})
	go func() {
		defer close(warned)
		if err := g.GracefulShutdown(ctx); err != nil {
			klog.Warnf("KITEX: server graceful shutdown error: %v", err)
		}
	}()
	select {
	case <-warned:
	case <-time.After(linger):
	}
}

// ConnCount returns how many connections are open. Any goroutine may call it.
func (s *server) ConnCount() utils.AtomicInt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return utils.AtomicInt(len(s.conns))
}

// open is called when a connection begins.
func (s *server) open(sc *sock.Conn) (err error) {
	c := newConn(sc)
	c.kind, c.ctx, c.readTimeout = s.kind, context.Background(), s.opt.ReadWriteTimeout
	sc.SetValue(c)
	s.keep(c, true)
	if c.kind == streams {
		return s.stream(c)
	}
	if s.cfg.Tasks {
		err = s.active(c)
	} else {
		err = s.offload(c, func() error { return s.active(c) })
	}
	s.rest(c)
	return err
}

// active calls the handlers' OnActive.
func (s *server) active(c *conn) error {
	return s.guarded(c, "OnActive", func() error {
		ctx, err := s.handler.OnActive(c.ctx, c)
		if err != nil {
			s.handler.OnError(c.ctx, err, c)
			return err
		}
		c.ctx, c.active = ctx, true
		return nil
	})
}

// request is called when something has arrived: messages, the first bytes of a stream, or the end.
func (s *server) request(sc *sock.Conn) error {
	c := sc.Value().(*conn)
	if err := s.await(c); err != nil {
		return err
	}
	if c.kind == unknown {
		head, err := c.in.Peek(headLen)
		if err != nil {
			return err
		}
		c.kind = kindOf(head)
	}
	if c.kind == streams {
		return s.stream(c)
	}
	for {
		if err := s.message(c); err != nil {
			return err
		}
		if c.in.Len() == 0 && sc.Buffered() == 0 {
			break
		}
	}
	s.rest(c)
	return nil
}

// await waits for the first byte, which has usually arrived.
func (s *server) await(c *conn) error {
	if c.in.Len() == 0 && c.Conn.Buffered() == 0 {
		_ = c.Conn.SetIdle(true)
		defer c.Conn.SetIdle(false)
	}
	err := c.in.fill(1)
	c.atRest = false
	return err
}

// message makes kitex read one message and answer it.
func (s *server) message(c *conn) error {
	if s.cfg.Tasks {
		return s.read(c)
	}
	s.gather(c)
	c.out.keeps = true
	err := s.offload(c, func() error { return s.read(c) })
	c.out.keeps, c.in.late = false, nil
	if failed := c.out.sendKept(); err == nil {
		err = failed
	}
	return err
}

// gather receives a whole message, since waiting costs the task less than a goroutine. kitex sees its errors again.
func (s *server) gather(c *conn) {
	head, err := c.in.Peek(headLen)
	if err == nil {
		if n := lengthOf(head); n <= messageMax {
			err = c.in.fill(n)
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.in.late = err
	}
}

// read calls the handlers' OnRead.
func (s *server) read(c *conn) error {
	return s.guarded(c, "OnRead", func() error {
		err := s.handler.OnRead(c.ctx, c)
		if err != nil {
			s.handler.OnError(c.ctx, err, c)
		}
		return err
	})
}

// stream serves the connection to its end on a goroutine.
func (s *server) stream(c *conn) error {
	err := s.offload(c, func() error {
		if !c.active {
			if err := s.active(c); err != nil {
				return err
			}
		}
		return s.read(c)
	})
	if err == nil {
		err = io.EOF
	}
	return err
}

// offload runs f on a goroutine, while the task parks.
func (s *server) offload(c *conn, f func() error) error {
	return (*loop.Loop)(c.Loop()).OffloadIn(lane.Handlers, func(context.Context) error { return f() })
}

// guarded turns a panic of f into an error, and logs it as kitex does.
func (s *server) guarded(c *conn, where string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			klog.CtxErrorf(c.ctx, "KITEX: panic happened in %s, remoteAddress=%s, error=%v\nstack=%s", where,
				c.RemoteAddr(), v, debug.Stack())
			err = fmt.Errorf("ringokitex: panic in %s: %v", where, v)
		}
	}()
	return f()
}

// rest makes a connection wait for the next message.
func (s *server) rest(c *conn) {
	if s.draining.Load() {
		c.rest(linger)
		return
	}
	c.rest(max(idleLeast, s.opt.MaxConnectionIdleTime))
}

// drain is called for a connection at rest when the drain begins.
func (s *server) drain(sc *sock.Conn) error {
	s.draining.Store(true)
	c := sc.Value().(*conn)
	c.rested = time.Time{}
	s.rest(c)
	return nil
}

// closed is called at the end of a connection, when no other call uses it.
func (s *server) closed(sc *sock.Conn, err error) {
	c := sc.Value().(*conn)
	if c == nil { // open was never called
		return
	}
	c.closing.Store(true)
	end := func() error {
		if c.active {
			s.handler.OnInactive(c.ctx, c)
		}
		c.callBack()
		return nil
	}
	if s.cfg.Tasks {
		_ = s.guarded(c, "OnInactive", end)
	} else {
		_ = s.offload(c, func() error { return s.guarded(c, "OnInactive", end) })
	}
	c.in.end()
	c.out.end()
	s.keep(c, false)
}
