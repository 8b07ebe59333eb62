// Package gnet runs servers written for github.com/panjf2000/gnet/v2 on Ringo's loops, by package event. Such a server
// imports "ringo/adapters/gnet" in place of gnet and changes nothing else: interfaces, actions and options are gnet's
// own. docs/adapters.md says which goroutine calls which method, what is bounded, which options have no effect, and
// what is not supported.
package gnet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	api "github.com/panjf2000/gnet/v2"
	errorx "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/socket"

	"ringo"
	"ringo/event"
	"ringo/sock"
)

// These types, and the values and functions below, are gnet's own.
type (
	Action        = api.Action
	AsyncCallback = api.AsyncCallback
	Conn          = api.Conn
	EventLoop     = api.EventLoop
	Option        = api.Option
	Options       = api.Options
	results       = <-chan api.RegisteredResult
)

const (
	None, Close, Shutdown, TCPNoDelay, TCPDelay  = api.None, api.Close, api.Shutdown, api.TCPNoDelay, api.TCPDelay
	RoundRobin, LeastConnections, SourceAddrHash = api.RoundRobin, api.LeastConnections, api.SourceAddrHash
)

var (
	WithBindToDevice, WithLoadBalancing, WithLogger = api.WithBindToDevice, api.WithLoadBalancing, api.WithLogger
	WithEdgeTriggeredIO, WithEdgeTriggeredIOChunk   = api.WithEdgeTriggeredIO, api.WithEdgeTriggeredIOChunk
	WithLockOSThread, WithLogLevel, WithLogPath     = api.WithLockOSThread, api.WithLogLevel, api.WithLogPath
	WithMulticore, WithMulticastInterfaceIndex      = api.WithMulticore, api.WithMulticastInterfaceIndex
	WithNumEventLoop, WithOptions, WithReusePort    = api.WithNumEventLoop, api.WithOptions, api.WithReusePort
	WithReadBufferCap, WithReuseAddr, WithTicker    = api.WithReadBufferCap, api.WithReuseAddr, api.WithTicker
	WithSocketRecvBuffer, WithSocketSendBuffer      = api.WithSocketRecvBuffer, api.WithSocketSendBuffer
	WithTCPKeepAlive, WithTCPKeepCount              = api.WithTCPKeepAlive, api.WithTCPKeepCount
	WithTCPKeepInterval, WithTCPNoDelay             = api.WithTCPKeepInterval, api.WithTCPNoDelay
	WithWriteBufferCap                              = api.WithWriteBufferCap
	errUnsupported, bit                             = errorx.ErrUnsupportedOp, map[bool]int{true: 1}
)

// An EventHandler is gnet's EventHandler, with this package's Engine.
type EventHandler interface {
	OnBoot(eng Engine) (action Action)
	OnShutdown(eng Engine)
	OnOpen(c Conn) (out []byte, action Action)
	OnClose(c Conn, err error) (action Action)
	OnTraffic(c Conn) (action Action)
	OnTick() (delay time.Duration, action Action)
}

// A BuiltinEventEngine is an EventHandler to embed in others. Its methods do nothing.
type BuiltinEventEngine struct{}

func (*BuiltinEventEngine) OnBoot(Engine) (action Action)                { return None }
func (*BuiltinEventEngine) OnShutdown(Engine)                            {}
func (*BuiltinEventEngine) OnOpen(Conn) (out []byte, action Action)      { return nil, None }
func (*BuiltinEventEngine) OnClose(Conn, error) (action Action)          { return None }
func (*BuiltinEventEngine) OnTraffic(Conn) (action Action)               { return None }
func (*BuiltinEventEngine) OnTick() (delay time.Duration, action Action) { return 0, None }

// An Engine is a running server, as in gnet. Any goroutine may call its methods.
type Engine struct{ *engine }
type engine struct {
	h             EventHandler
	opts          Options
	set           *sock.ListenerSet
	conns         atomic.Int32
	ticking       sync.WaitGroup
	stop          context.CancelFunc
	stopped, over context.Context // stopped: the engine has been asked to end; over: Run returns
}

// Run serves an address until a handler returns Shutdown, or Stop is called. A task gets an error.
func Run(h EventHandler, protoAddr string, opts ...Option) (err error) {
	stopped, stop := context.WithCancel(context.Background())
	over, end := context.WithCancelCause(context.Background())
	defer end(errorx.ErrEngineInShutdown)
	eng := &engine{h: h, stop: stop, stopped: stopped, over: over}
	for _, set := range opts {
		set(&eng.opts)
	}
	if eng.set, err = eng.listen(protoAddr); err != nil {
		return err
	}
	defer eng.set.Close()
	if h.OnBoot(Engine{eng}) == Shutdown {
		return nil
	}
	loops := cmp.Or(max(eng.opts.NumEventLoop, 0), runtime.NumCPU()*bit[eng.opts.Multicore], 1)
	err = event.Run(context.Background(), &ringo.Config{Loops: loops}, eng.serve)
	eng.stop()
	eng.ticking.Wait()
	h.OnShutdown(Engine{eng})
	return err
}

// listen reserves the address: the kernel queues peers from now on.
func (eng *engine) listen(protoAddr string) (*sock.ListenerSet, error) {
	o := &eng.opts
	proto, addr, _ := strings.Cut(protoAddr, "://")
	switch fi, err := os.Lstat(addr); {
	case addr == "" || proto != "unix" && strings.Contains(addr, "/"):
		return nil, errorx.ErrInvalidNetworkAddress
	case strings.HasPrefix(proto, "udp"):
		return nil, errUnsupported
	case !strings.Contains(" tcp tcp4 tcp6 unix ", " "+proto+" "):
		return nil, errorx.ErrUnsupportedProtocol
	case proto == "unix" && err == nil && fi.Mode().Type() == os.ModeSocket:
		_ = os.Remove(addr) // as gnet does, with any file
	}
	return (&sock.ListenConfig{AllowShared: o.ReusePort, Balance: o.LB != SourceAddrHash, KeepAlive: -1,
		Options: sock.Options{Device: o.BindToDevice}, Control: eng.inherited,
		KeepAliveConfig: net.KeepAliveConfig{Enable: o.TCPKeepAlive > 0, Idle: o.TCPKeepAlive,
			Interval: cmp.Or(o.TCPKeepInterval, o.TCPKeepAlive/5), Count: cmp.Or(o.TCPKeepCount, 5)},
	}).Reserve(proto, addr)
}

func (eng *engine) inherited(_, _ string, raw syscall.RawConn) (err error) {
	_ = raw.Control(func(fd uintptr) {
		if n := eng.opts.SocketRecvBuffer; n > 0 {
			err = socket.SetRecvBuffer(int(fd), n)
		}
		if n := eng.opts.SocketSendBuffer; n > 0 && err == nil {
			err = socket.SetSendBuffer(int(fd), n)
		}
	})
	return err
}

func (eng *engine) serve(ev *event.Loop) error {
	ln, err := eng.set.Listen(ev.Ringo())
	if err != nil {
		return err
	}
	ev.SetUnsentMax(loopUnsentMax)
	ev.Accept(ln, &loop{engine: eng, Loop: ev})
	if eng.opts.Ticker && ev.Ringo().Index() == 0 {
		eng.ticking.Go(eng.tick)
	}
	context.AfterFunc(eng.stopped, func() { _ = ev.Post(ev.Stop) }) // in vain if a handler has stopped the loop
	return nil
}
func (eng *engine) tick() {
	for eng.stopped.Err() == nil {
		delay, action := eng.h.OnTick()
		if action == Shutdown {
			eng.stop()
		}
		pause, done := context.WithTimeout(eng.stopped, delay)
		<-pause.Done()
		done()
	}
}

// Validate returns an error if the Engine is the zero Engine, or if Run has returned.
func (e Engine) Validate() error {
	if e.engine == nil {
		return errorx.ErrEmptyEngine
	}
	return context.Cause(e.over)
}

// CountConnections returns the number of open connections, or -1 if Validate returns an error.
func (e Engine) CountConnections() int {
	if e.Validate() != nil {
		return -1
	}
	return int(e.conns.Load())
}

// Stop ends the engine and waits until Run returns, or ctx ends. A callback must not call it: it would wait for
// itself.
func (e Engine) Stop(ctx context.Context) error {
	if err := e.Validate(); err != nil {
		return err
	}
	e.stop()
	select {
	case <-e.over.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// These functions return an error: several listeners, duplicates of their descriptors, and connections from elsewhere
// are not supported.
func Rotate(EventHandler, []string, ...Option) error     { return errUnsupported }
func (Engine) Dup() (int, error)                         { return -1, errUnsupported }
func (Engine) DupListener(string, string) (int, error)   { return -1, errUnsupported }
func (Engine) Register(context.Context) (results, error) { return nil, errUnsupported }

const (
	pauseAt       = 4 << 20   // bytes unsent at which a connection is no longer read
	unsentMax     = 16 << 20  // bytes unsent at which a write ends the connection
	loopUnsentMax = 256 << 20 // likewise, of all connections of a loop
	unreadMax     = 64 << 20  // bytes that OnTraffic may leave unread
)

// loop is a gnet.EventLoop, and the event handler that makes the conns.
type loop struct {
	event.Base
	*engine
	*event.Loop
}

func (el *loop) OnOpen(ev *event.Conn) {
	c := &conn{el: el, ev: ev, open: true, local: ev.LocalAddr(), remote: ev.RemoteAddr()}
	ev.SetHandler(c)
	ev.SetMarks(pauseAt, unsentMax)
	el.conns.Add(1)
	if el.opts.TCPNoDelay == TCPDelay {
		_ = c.SetNoDelay(false) // fails unless it is TCP and still open
	}
	out, action := el.h.OnOpen(c)
	_, _ = c.Write(out) // closes the connection if it fails
	_ = c.act(action)
}
func (*loop) Close(c Conn) error                                          { return c.(*conn).close(nil) }
func (*loop) Execute(context.Context, api.Runnable) error                 { return errUnsupported }
func (*loop) Schedule(context.Context, api.Runnable, time.Duration) error { return errUnsupported }
func (*loop) Register(context.Context, net.Addr) (results, error)         { return nil, errUnsupported }
func (*loop) Enroll(context.Context, net.Conn) (results, error)           { return nil, errUnsupported }

// conn is a gnet.Conn.
type conn struct {
	event.Base
	el            *loop
	ev            *event.Conn
	open, lent    bool   // lent: in is the loop's buffer, valid until OnTraffic returns
	in            []byte // received and not read yet
	ctx           any
	local, remote net.Addr
}

func (c *conn) OnData(ev *event.Conn, p []byte) int {
	if c.lent = len(c.in) == 0; c.lent {
		c.in = p
	} else {
		c.in = append(c.in, p...)
	}
	if _ = c.traffic(); len(c.in) > unreadMax {
		_, _ = c.wrote(0, event.ErrUnread)
	} else if ev.Congested() {
		ev.Pause()
	}
	return len(p)
}
func (c *conn) OnWritable(ev *event.Conn)        { ev.Resume() }
func (c *conn) OnEnd(*event.Conn)                { _ = c.close(os.NewSyscallError("read", io.EOF)) }
func (c *conn) OnClose(_ *event.Conn, err error) { _ = c.close(err) }
func (c *conn) traffic() (err error) {
	if c.open {
		err = c.act(c.el.h.OnTraffic(c))
	}
	if c.lent || len(c.in) == 0 { // and then there is no memory behind it
		c.in, c.lent = bytes.Clone(c.in), false
	}
	return err
}

// act carries out the action that a handler returned. It returns the error that gnet's callbacks get.
func (c *conn) act(action Action) error {
	switch action {
	case Close:
		return c.end()
	case Shutdown:
		c.el.stop()
		c.el.Stop()
		return errorx.ErrEngineShutdown
	}
	return nil
}

// close calls OnClose at once, as gnet does. Bytes that are still unsent are sent before the socket is closed.
func (c *conn) close(err error) error {
	if !c.open {
		return nil
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil // the program closed it
	}
	c.open = false
	c.el.conns.Add(-1)
	action := c.el.h.OnClose(c, err)
	c.ev.Close()
	return c.act(action)
}

// wrote returns the result of a write. If the write failed it ends the connection, whose stream would have a gap.
func (c *conn) wrote(n int, err error) (int, error) {
	switch {
	case err == nil:
		return n, nil
	case c.open:
		_ = c.close(err)
		c.ev.Abort()
	}
	return 0, err
}
func (c *conn) Write(p []byte) (int, error) { return c.wrote(len(p), c.ev.Write(p)) }
func (c *conn) Writev(bs [][]byte) (n int, err error) {
	for _, b := range bs {
		n += len(b)
	}
	return c.wrote(n, c.ev.WriteV(bs))
}
func (c *conn) ReadFrom(r io.Reader) (int64, error)  { return io.Copy(struct{ io.Writer }{c}, r) }
func (c *conn) SendTo([]byte, net.Addr) (int, error) { return 0, errUnsupported }
func (c *conn) OutboundBuffered() int                { return c.ev.Unsent() }

// post makes the loop call do, and then cb with its error.
func (c *conn) post(cb AsyncCallback, do func() error) error {
	return c.el.Post(func() {
		if err := do(); cb != nil {
			_ = cb(c, err)
		}
	})
}
func (c *conn) AsyncWrite(p []byte, cb AsyncCallback) error { return c.AsyncWritev([][]byte{p}, cb) }
func (c *conn) AsyncWritev(bs [][]byte, cb AsyncCallback) error {
	return c.post(cb, func() error { _, err := c.Writev(bs); return err })
}
func (c *conn) Wake(cb AsyncCallback) error              { return c.post(cb, c.traffic) }
func (c *conn) CloseWithCallback(cb AsyncCallback) error { return c.post(cb, c.end) }
func (c *conn) Close() error                             { return c.post(nil, c.end) }
func (c *conn) end() error                               { return c.close(nil) }
func (c *conn) Peek(n int) ([]byte, error) {
	if n = cmp.Or(max(n, 0), len(c.in)); n > len(c.in) {
		return nil, io.ErrShortBuffer
	}
	return c.in[:n:n], nil
}
func (c *conn) Next(n int) ([]byte, error) {
	p, err := c.Peek(n)
	c.in = c.in[len(p):]
	return p, err
}
func (c *conn) Discard(n int) (int, error) {
	p, err := c.Next(min(n, len(c.in)))
	return len(p), err
}
func (c *conn) Read(p []byte) (n int, err error) {
	if n = copy(p, c.in); n == 0 && len(p) > 0 {
		return 0, io.ErrShortBuffer
	}
	c.in = c.in[n:]
	return n, nil
}
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.in)
	c.in = c.in[n:]
	return int64(n), err
}
func (*conn) SetKeepAlive(bool, time.Duration, time.Duration, int) error { return errUnsupported }
func (c *conn) InboundBuffered() int                                     { return len(c.in) }
func (c *conn) Context() any                                             { return c.ctx }
func (c *conn) SetContext(ctx any)                                       { c.ctx = ctx }
func (c *conn) EventLoop() EventLoop                                     { return c.el }
func (c *conn) LocalAddr() net.Addr                                      { return c.local }
func (c *conn) RemoteAddr() net.Addr                                     { return c.remote }

// control calls f with the descriptor and n, after everything written before. It works only on the connection's loop.
func (c *conn) control(f func(fd, n int) error, n int) (err error) {
	if l, _ := ringo.Current(); l != c.el.Ringo() {
		return errUnsupported
	}
	raw, _ := c.ev.SyscallConn()
	closed := raw.Control(func(fd uintptr) { err = f(int(fd), n) })
	return cmp.Or(closed, err)
}
func (c *conn) Flush() error                         { return c.control(func(int, int) error { return nil }, 0) }
func (c *conn) SetReadBuffer(n int) error            { return c.control(socket.SetRecvBuffer, n) }
func (c *conn) SetWriteBuffer(n int) error           { return c.control(socket.SetSendBuffer, n) }
func (c *conn) SetLinger(n int) error                { return c.control(socket.SetLinger, n) }
func (c *conn) SetNoDelay(on bool) error             { return c.control(socket.SetNoDelay, bit[on]) }
func (*conn) SetKeepAlivePeriod(time.Duration) error { return errUnsupported }
func (*conn) Fd() int                                { return -1 }
func (*conn) Dup() (int, error)                      { return -1, errUnsupported }
func (*conn) SetDeadline(time.Time) error            { return errUnsupported }
func (*conn) SetReadDeadline(time.Time) error        { return errUnsupported }
func (*conn) SetWriteDeadline(time.Time) error       { return errUnsupported }
