package nettest

import (
	"net"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/sock"
)

// here is a goroutine's way to call.
func here(call func()) error { call(); return nil }

// inTask runs a call in a task of the loop, for which the goroutine waits.
func inTask(l *ringo.Loop) func(call func()) error {
	return func(call func()) error { return l.Go(call).Wait() }
}

// inTurns runs each call another way than the one before.
func inTurns(ways ...func(func()) error) func(call func()) error {
	var n atomic.Uint32
	return func(call func()) error { return ways[int(n.Add(1))%len(ways)](call) }
}

// adapter is a connection of which reads, writes and the rest are called in ways of their own.
type adapter struct {
	c                 *sock.Conn
	read, write, rest func(call func()) error
}

func (a *adapter) Read(p []byte) (n int, err error) {
	if e := a.read(func() { n, err = a.c.Read(p) }); e != nil {
		return 0, e
	}
	return n, err
}

func (a *adapter) Write(p []byte) (n int, err error) {
	if e := a.write(func() { n, err = a.c.Write(p) }); e != nil {
		return 0, e
	}
	return n, err
}

func (a *adapter) call(f func() error) (err error) {
	if e := a.rest(func() { err = f() }); e != nil {
		return e
	}
	return err
}

func (a *adapter) LocalAddr() (addr net.Addr) {
	a.call(func() error { addr = a.c.LocalAddr(); return nil })
	return addr
}

func (a *adapter) RemoteAddr() (addr net.Addr) {
	a.call(func() error { addr = a.c.RemoteAddr(); return nil })
	return addr
}

func (a *adapter) Close() error { return a.call(a.c.Close) }

func (a *adapter) SetDeadline(t time.Time) error {
	return a.call(func() error { return a.c.SetDeadline(t) })
}

func (a *adapter) SetReadDeadline(t time.Time) error {
	return a.call(func() error { return a.c.SetReadDeadline(t) })
}

func (a *adapter) SetWriteDeadline(t time.Time) error {
	return a.call(func() error { return a.c.SetWriteDeadline(t) })
}
