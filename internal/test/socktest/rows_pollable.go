//go:build linux

package socktest

import (
	"errors"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// pollRows are the methods of a Pollable.
var pollRows = []*row{
	{method: "Read", read: reads(func(x *cell, p []byte) (int, error) { return x.c.Read(p) })},
	{method: "Write", write: func(x *cell, p []byte) (int, error) { return x.c.Write(p) }},
	{method: "Wait", read: reads(func(x *cell, p []byte) (int, error) {
		if err := ready(x, sock.Readable); err != nil {
			return 0, err
		}
		if x.ev.comes { // the data was in time for the Wait, but the deadline is over for the read
			x.must("SetDeadline", x.c.SetDeadline(time.Time{}))
		}
		return x.c.Read(p)
	})},
	{method: "Wait/write", write: func(x *cell, p []byte) (int, error) {
		if err := ready(x, sock.Writable); err != nil {
			return 0, err
		}
		return x.c.Write(p)
	}},

	{method: "Loop", stays: true, ask: func(x *cell) error { return expect(x.c.Loop() == x.home.l, "Loop") }},
	{method: "SetDeadline", ask: func(x *cell) error { return x.c.SetDeadline(time.Now().Add(time.Hour)) }},
	{method: "SetReadDeadline", ask: func(x *cell) error { return x.c.SetReadDeadline(time.Time{}) }},
	{method: "SetWriteDeadline", ask: func(x *cell) error { return x.c.SetWriteDeadline(time.Time{}) }},
	{method: "Close", ends: true, stays: true, ask: func(x *cell) error { return x.closed(x.c) }},
}

// ready waits for one interest, and requires that Wait reports it, or a hangup or failure.
func ready(x *cell, interest sock.Interest) error {
	got, err := x.c.(pollable).Wait(interest)
	if err == nil && got&(interest|sock.HungUp|sock.Failed) == 0 {
		x.fault("Wait(%#x) = %#x", interest, got)
	}
	return err
}

// poll makes a Pollable of one end of a Unix socket pair.
func (e *ends) poll(l *ringo.Loop, full, blocking bool) error {
	f, peer, err := unixEnds(syscall.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer f.Close()
	e.peer = peer
	if full {
		e.in, err = fill(f, false)
	}
	var p *sock.Pollable
	if err == nil {
		p, err = sock.Poll(l, f)
	}
	if err != nil {
		peer.Close()
		return err
	}
	e.c = pollable{p}
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), !blocking) })
	}
	return errors.Join(err, peer.SetDeadline(patience.Deadline()))
}

// pollable makes a *sock.Pollable a handle.
type pollable struct{ *sock.Pollable }

// SyscallConn is for callers that take a turn in each direction.
func (p pollable) SyscallConn() (syscall.RawConn, error) { return turns(p), nil }

// turns takes turns of a Pollable in which no bytes are moved.
type turns pollable

func (t turns) Control(func(fd uintptr)) error    { return errors.ErrUnsupported }
func (t turns) Read(func(fd uintptr) bool) error  { _, err := t.Pollable.Read(nil); return err }
func (t turns) Write(func(fd uintptr) bool) error { _, err := t.Pollable.Write(nil); return err }
