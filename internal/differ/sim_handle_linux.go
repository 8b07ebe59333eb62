//go:build linux

package differ

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"ringo"
)

// simListener is a listener whose calls are made on its loop.
type simListener struct{ ln ringoListener }

func (ln simListener) Addr() net.Addr { return ln.ln.Addr() }

func (ln simListener) Accept(typed bool) (Conn, error) {
	return at(ln.ln.Loop(), func() (Conn, error) { return simulated(ln.ln.Accept(typed)) })
}

func (ln simListener) SetDeadline(t time.Time) error {
	return on(ln.ln.Loop(), func() error { return ln.ln.SetDeadline(t) })
}

func (ln simListener) Close() error { return on(ln.ln.Loop(), ln.ln.Close) }

// simPacket is a socket of datagrams whose calls are made on its loop.
type simPacket struct {
	l *ringo.Loop
	p Packet
}

func (c simPacket) LocalAddr() net.Addr { return c.p.LocalAddr() }
func (c simPacket) Close() error        { return on(c.l, c.p.Close) }

func (c simPacket) Write(p []byte) (int, error) {
	return at(c.l, func() (int, error) { return c.p.Write(p) })
}

func (c simPacket) WriteTo(p []byte, to net.Addr) (int, error) {
	return at(c.l, func() (int, error) { return c.p.WriteTo(p, to) })
}

func (c simPacket) ReadFrom(p []byte) (n int, from net.Addr, err error) {
	err = on(c.l, func() (err error) {
		n, from, err = c.p.ReadFrom(p)
		return err
	})
	return n, from, err
}

func (c simPacket) WriteAll(ps [][]byte, addr net.Addr) error {
	return on(c.l, func() error { return c.p.WriteAll(ps, addr) })
}

func (c simPacket) ReadAll(n int) ([][]byte, error) {
	return at(c.l, func() ([][]byte, error) { return c.p.ReadAll(n) })
}

func (c simPacket) SetDeadline(t time.Time) error {
	return on(c.l, func() error { return c.p.SetDeadline(t) })
}

func (c simPacket) SetReadDeadline(t time.Time) error {
	return on(c.l, func() error { return c.p.SetReadDeadline(t) })
}

func (c simPacket) SetWriteDeadline(t time.Time) error {
	return on(c.l, func() error { return c.p.SetWriteDeadline(t) })
}

// simConn is a connection whose calls are made on its loop.
type simConn struct{ c ringoConn }

func simulated(c Conn, err error) (Conn, error) {
	if err != nil {
		return nil, err
	}
	return simConn{c.(ringoConn)}, nil
}

func (c simConn) loop() *ringo.Loop        { return c.c.Loop() }
func (c simConn) on(f func() error) error  { return on(c.loop(), f) }
func (c simConn) LocalAddr() net.Addr      { return c.c.LocalAddr() }
func (c simConn) RemoteAddr() net.Addr     { return c.c.RemoteAddr() }
func (c simConn) Close() error             { return c.on(c.c.Close) }
func (c simConn) CloseWrite() error        { return c.on(c.c.CloseWrite) }
func (c simConn) Flush() error             { return c.on(c.c.Flush) }
func (c simConn) SetLinger(sec int) error  { return c.on(func() error { return c.c.SetLinger(sec) }) }
func (c simConn) SetNoDelay(o bool) error  { return c.on(func() error { return c.c.SetNoDelay(o) }) }
func (c simConn) SetBatching(o bool) error { return c.on(func() error { return c.c.SetBatching(o) }) }
func (c simConn) SetIdle(o bool) error     { return c.on(func() error { return c.c.SetIdle(o) }) }
func (c simConn) CloseSoon()               { c.on(func() error { c.c.CloseSoon(); return nil }) }

func (c simConn) SetWriteBuffer(n int) error {
	return c.on(func() error { return c.c.SetWriteBuffer(n) })
}

func (c simConn) SetReadBuffer(n int) error {
	return c.on(func() error { return c.c.SetReadBuffer(n) })
}

func (c simConn) SetDeadline(t time.Time) error {
	return c.on(func() error { return c.c.SetDeadline(t) })
}

func (c simConn) SetReadDeadline(t time.Time) error {
	return c.on(func() error { return c.c.SetReadDeadline(t) })
}

func (c simConn) SetWriteDeadline(t time.Time) error {
	return c.on(func() error { return c.c.SetWriteDeadline(t) })
}

func (c simConn) Read(p []byte) (int, error) {
	return at(c.loop(), func() (int, error) { return c.c.Read(p) })
}

func (c simConn) Write(p []byte) (int, error) {
	return at(c.loop(), func() (int, error) { return c.c.Write(p) })
}

func (c simConn) TryWrite(p []byte) (int, error) {
	return at(c.loop(), func() (int, error) { return c.c.TryWrite(p) })
}

func (c simConn) Peek(n int) ([]byte, error) {
	return at(c.loop(), func() ([]byte, error) { return c.c.Peek(n) })
}

func (c simConn) Discard(n int) (int, error) {
	return at(c.loop(), func() (int, error) { return c.c.Discard(n) })
}

func (c simConn) Buffered() int {
	n, _ := at(c.loop(), func() (int, error) { return c.c.Buffered(), nil })
	return n
}

func (c simConn) Next() (Lease, error) { return at(c.loop(), c.c.Next) }

func (c simConn) WriteLease(b Lease) (int, error) {
	return at(c.loop(), func() (int, error) { return c.c.WriteLease(b) })
}

func (c simConn) ReadV(bufs [][]byte) (int64, error) {
	return at(c.loop(), func() (int64, error) { return c.c.ReadV(bufs) })
}

func (c simConn) WriteV(bufs [][]byte) (int64, error) {
	return at(c.loop(), func() (int64, error) { return c.c.WriteV(bufs) })
}

func (c simConn) SendFile(head []byte, f File, off, n int64) (int, error) {
	return at(c.loop(), func() (int, error) { return c.c.SendFile(head, f, off, n) })
}

// CopyTo is the Conn's own, unless that would use a Conn of another loop.
func (c simConn) CopyTo(w io.Writer) (int64, error) {
	if to, ok := w.(simConn); ok {
		if to.loop() != c.loop() {
			return io.Copy(plainWriter{to}, plainReader{c})
		}
		w = to.c
	}
	return at(c.loop(), func() (int64, error) { return c.c.CopyTo(w) })
}

func (c simConn) CopyFrom(r io.Reader) (int64, error) {
	if from, ok := r.(simConn); ok {
		if from.loop() != c.loop() {
			return io.Copy(plainWriter{c}, plainReader{from})
		}
		r = from.c
	}
	return at(c.loop(), func() (int64, error) { return c.c.CopyFrom(r) })
}

// plainWriter is a writer that is nothing else.
type plainWriter struct{ io.Writer }

func (c simConn) MoveTo(loop int) (Conn, error) {
	return at(c.loop(), func() (Conn, error) { return simulated(c.c.MoveTo(loop)) })
}

// Leave reads what is unread: no descriptor leaves a world.
func (c simConn) Leave(_, n int, _ func(f func() error) error) (p []byte, back Conn, err error) {
	err = c.on(func() error {
		_, _, err := c.c.DetachTCP()
		return err
	})
	if !errors.Is(err, errors.ErrUnsupported) {
		return nil, nil, fmt.Errorf("a connection has left its world: %w", err)
	}
	p = make([]byte, n)
	n, err = io.ReadFull(c, p)
	return p[:n], c, err
}
