//go:build linux

package socktest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"ringo"
	"ringo/buf"
	evt "ringo/event"
	"ringo/internal/test/eventtest"
	"ringo/sock"
)

// onCallbacks is a place in which callbacks do what needs the right to use what belongs to the home loop.
type onCallbacks struct {
	place
	home   *ringo.Loop
	actors *eventtest.Actors
}

func (o *onCallbacks) begin(l *ringo.Loop, f func()) {
	if l != o.home {
		o.place.begin(l, f)
		return
	}
	l.Go(func() { o.actors.Begin(l, nil, f) })
}

// closes is false: the callbacks have ended with their loop.
func (*onCallbacks) closes() bool { return false }

func (*onCallbacks) another(k *caller) *caller { return k }

// byCallbacks makes callbacks of the home loop act, and hands them the handle under test.
func (x *cell) byCallbacks() error {
	l := x.home.l
	b := &eventtest.Actors{Turns: x.turns, Clock: x.now}
	x.runs = &runs{&onCallbacks{x.place, l, b}, x.home, x.other}
	x.clean = append(x.clean, func() {
		for _, err := range b.Errs {
			x.must("callbacks", err)
		}
	})
	var err error
	l.Go(func() {
		b.On(l)
		if x.ends == nil {
			return
		}
		switch s := x.c.(type) {
		case *sock.Conn:
			c := &callbackConn{b.NewConn(), x}
			if err = c.Adopt(s); err == nil {
				x.c, x.conn, x.stream = c, nil, c
			}
		case *sock.PacketConn:
			c := &callbackPackets{PacketConn: s, b: b}
			c.c = b.E.Receive(s, c)
			x.c = c
		}
	}).Wait()
	if err == nil {
		l.Go(func() { b.E.Wait() }) // Wait tells the callbacks of the loop's end
	}
	return err
}

// streamConn is what a connection has for every kind of caller.
type streamConn interface {
	handle
	io.ReaderFrom
	io.WriterTo
	ReadV(bufs [][]byte) (int, error)
	Next() (buf.Lease, error)
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
	WriteV(bufs [][]byte) (int, error)
	TryWrite(p []byte) (int, error)
	WriteLease(buf.Lease) (int, error)
	SendFile(head []byte, f source, off, n int64) (int, error)
	Flush() error
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	Value() any
	SetValue(v any)
	SetIdle(on bool) error
	CloseWrite() error
	CloseSoon()
	DetachConn() (net.Conn, error)
	MoveTo(l *ringo.Loop) (*sock.Conn, error)
}

// taskConn is a connection of tasks and goroutines.
type taskConn struct{ *sock.Conn }

func (c taskConn) SendFile(head []byte, f source, off, n int64) (int, error) {
	return c.Conn.SendFile(head, f, off, n)
}

// callbackConn is a connection of callbacks. Its writes wait until all is sent; if one fails, what it has taken by then
// is still sent.
type callbackConn struct {
	*eventtest.Conn
	x *cell
}

func (c *callbackConn) Loop() *ringo.Loop                     { return c.C.Loop().Ringo() }
func (c *callbackConn) Value() any                            { return c.C.Value() }
func (c *callbackConn) SetValue(v any)                        { c.C.SetValue(v) }
func (c *callbackConn) SyscallConn() (syscall.RawConn, error) { return c.C.SyscallConn() }

// ReadV calls ReadFull for as many bytes as the cell wants.
func (c *callbackConn) ReadV(bufs [][]byte) (int, error) {
	p := make([]byte, c.x.want)
	n, err := c.ReadFull(p)
	for q := p[:n]; len(q) > 0; bufs = bufs[1:] {
		q = q[copy(bufs[0], q):]
	}
	return n, err
}

func (c *callbackConn) Next() (buf.Lease, error) {
	lease, err := c.Conn.Next()
	if err != nil {
		return buf.Lease{}, err
	}
	defer lease.Release()
	return buf.Of(bytes.Clone(lease.Bytes())), nil
}

func (c *callbackConn) WriteTo(w io.Writer) (int64, error) { return c.CopyTo(w) }

func (c *callbackConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.CopyFrom(r)
	return n, c.sent(err)
}

// send writes p in pieces of size bytes, or as one record.
func (c *callbackConn) send(p []byte, size int, put func(p []byte) error) (n int, err error) {
	if c.x.net.records {
		size = len(p)
		c.C.SetMarks(1, size) // so that the connection stays congested until the record is sent
	}
	for q := range slices.Chunk(p, size) {
		if err = put(q); err != nil {
			return n, err
		}
		n += len(q)
	}
	return n, c.sent(nil)
}

// sent waits until all is sent.
func (c *callbackConn) sent(err error) error {
	for err == nil && c.x.net.records && !c.Closed && c.C.Congested() {
		err = c.AwaitWriter()
	}
	if err == nil {
		err = c.Flush()
	}
	return err
}

func (c *callbackConn) Write(p []byte) (int, error) {
	return c.send(p, 4<<10, func(p []byte) error { _, err := c.Conn.Write(p); return err })
}

func (c *callbackConn) WriteV(bufs [][]byte) (int, error) {
	return c.send(slices.Concat(bufs...), 100_000, func(p []byte) error {
		_, err := c.Conn.WriteV([][]byte{p[:1], nil, p[1:]})
		return err
	})
}

func (c *callbackConn) WriteLease(lease buf.Lease) (int, error) {
	defer lease.Release()
	return c.send(lease.Bytes(), 4<<10, func(p []byte) error {
		return c.Put(func() error { return c.C.WriteLease(buf.Of(bytes.Clone(p))) })
	})
}

func (c *callbackConn) SendFile(head []byte, f source, off, n int64) (int, error) {
	k, err := c.Conn.SendFile(head, f, off, n)
	return k, c.sent(err)
}

func (c *callbackConn) DetachConn() (conn net.Conn, err error) {
	err = c.Detach(func(s *sock.Conn) (err error) {
		if conn, err = s.DetachConn(); err != nil {
			s.Close()
		}
		return err
	})
	return conn, err
}

func (c *callbackConn) MoveTo(l *ringo.Loop) (moved *sock.Conn, err error) {
	err = c.Detach(func(s *sock.Conn) (err error) { moved, err = s.MoveTo(l); return err })
	return moved, err
}

// callbackListener is a listener of callbacks.
type callbackListener struct{ *eventtest.Listener }

func (callbackListener) SetDeadline(time.Time) error { return errors.ErrUnsupported }

func (ln callbackListener) Accept() (net.Conn, error) {
	c, err := ln.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// callbackPackets is a datagram socket of callbacks, which takes in one datagram whenever a reader wants one. The
// methods for options are the socket's own.
type callbackPackets struct {
	*sock.PacketConn
	evt.PacketBase
	b      *eventtest.Actors
	c      *evt.PacketConn
	got    []byte
	from   net.Addr
	has    bool
	closed bool
	err    error

	reader, writer, closer func()
}

func (c *callbackPackets) OnOpen(p *evt.PacketConn) {
	if !c.has && c.reader == nil {
		p.Pause()
	}
}

func (c *callbackPackets) OnDatagram(p *evt.PacketConn, d evt.Datagram) {
	if c.has {
		c.b.Wrong("a datagram comes in a Pause")
	}
	c.got, c.from, c.has = bytes.Clone(d.Bytes), net.UDPAddrFromAddrPort(d.From), true
	p.Pause()
	eventtest.Tell(&c.reader)
}

func (c *callbackPackets) OnWritable(*evt.PacketConn) { eventtest.Tell(&c.writer) }

func (c *callbackPackets) OnClose(_ *evt.PacketConn, err error) {
	if c.closed {
		c.b.Wrong("a socket is closed twice")
	}
	if c.closed, c.err = true, err; err == nil {
		c.err = net.ErrClosed
	}
	for _, slot := range []*func(){&c.reader, &c.writer, &c.closer} {
		eventtest.Tell(slot)
	}
}

func (c *callbackPackets) ReadFrom(p []byte) (int, net.Addr, error) {
	for !c.has {
		if c.closed {
			return 0, nil, c.err
		}
		c.c.Resume()
		c.b.Await(&c.reader)
	}
	c.has = false
	return copy(p, c.got), c.from, nil
}

func (c *callbackPackets) Read(p []byte) (int, error) {
	n, _, err := c.ReadFrom(p)
	return n, err
}

func (c *callbackPackets) Write(p []byte) (int, error) {
	return c.put(p, func() error { return c.c.Write(p) })
}

func (c *callbackPackets) WriteTo(p []byte, to net.Addr) (int, error) {
	return c.put(p, func() error { return c.c.WriteTo(p, to.(*net.UDPAddr).AddrPort()) })
}

func (c *callbackPackets) put(p []byte, write func() error) (int, error) {
	for {
		switch err := write(); err {
		case nil:
			return len(p), nil
		case evt.ErrFull:
			c.b.Await(&c.writer)
		default:
			return 0, err
		}
	}
}

func (c *callbackPackets) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.c.Close()
	c.c.Close()
	c.b.Await(&c.closer)
	return nil
}
