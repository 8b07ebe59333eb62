//go:build linux

package socktest

import (
	"fmt"
	"net"
	"strings"
	"time"

	"ringo/sock"
)

// listenRows are the methods of a Listener. Those that accept are reads: the connection counts as one byte.
var listenRows = []*row{
	{method: "Accept", read: func(x *cell) ([]byte, error) { return accepted(x.ln.Accept()) }},
	{method: "AcceptConn", read: accepts((*sock.Listener).AcceptConn)},
	{method: "AcceptTCP", nets: []string{"tcp"}, read: accepts((*sock.Listener).AcceptTCP)},
	{method: "AcceptUnix", nets: unixOnly, read: accepts((*sock.Listener).AcceptUnix)},
	{method: "Addr", stays: true, ask: func(x *cell) error {
		addr := x.ln.Addr()
		return expect(strings.HasPrefix(x.net.name, addr.Network()) && addr.String() != "", "Addr "+addr.String())
	}},
	{method: "Loop", stays: true, ask: func(x *cell) error { return expect(x.sockLn.Loop() == x.home.l, "Loop") }},
	{method: "Stats", stays: true, ask: func(x *cell) error {
		s := x.sockLn.Stats()
		return expect(s.Open >= 0 && s.Ahead >= 0 && s.Accepted >= uint64(s.Open), fmt.Sprintf("Stats %+v", s))
	}},
	{method: "SetUnlinkOnClose", stays: true, ask: func(x *cell) error { x.sockLn.SetUnlinkOnClose(true); return nil }},
	{method: "SyscallConn", ask: func(x *cell) error {
		raw, err := x.sockLn.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(uintptr) {})
	}},
	{method: "File", ask: func(x *cell) error {
		f, err := x.sockLn.File()
		if err == nil {
			err = f.Close()
		}
		return err
	}},
	{method: "SetDeadline", ask: func(x *cell) error { return x.ln.SetDeadline(time.Now().Add(time.Hour)) }},
	{method: "Close", ends: true, stays: true, ask: func(x *cell) error { return x.closed(x.ln) }},
}

// listener is what a listener has for every kind of caller.
type listener interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// accepts makes a row's read of a method that accepts.
func accepts(accept func(ln *sock.Listener) (*sock.Conn, error)) func(x *cell) ([]byte, error) {
	return func(x *cell) ([]byte, error) {
		c, err := accept(x.sockLn)
		if err != nil {
			return nil, err
		}
		return accepted(c, nil)
	}
}

// accepted closes a connection that was accepted, and returns one byte for it.
func accepted(c net.Conn, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return []byte{1}, c.Close()
}

// listenEvents are the events of listeners.
var listenEvents = []*event{
	{name: "plain", errors: none, over: nothing, act: func(x *cell, _ *pending) { x.dials() }},
	eventNamed("cancel"), eventNamed("timeout"),
	eventNamed("deadline-moved"), eventNamed("deadline-away"), eventNamed("deadline-late"),
	eventNamed("deadline-flickers"),
	eventNamed("deadline-past"), eventNamed("deadline-ahead"),
	{name: "close", gone: true, fails: true, errors: closed, over: nothing, act: func(x *cell, _ *pending) {
		x.others("Close by somebody else", func() error { return x.closed(x.ln) })
	}},
	eventNamed("loop-end"), eventNamed("driver-death"),
}

func eventNamed(name string) *event {
	for _, e := range events {
		if e.name == name {
			return e
		}
	}
	panic("socktest: no event " + name)
}

// dials connects to the listener.
func (x *cell) dials() {
	if x.row.read == nil {
		return
	}
	c, err := x.dial(x.net.name, x.ln.Addr().String())
	x.must("dial", err)
	if err == nil {
		x.clean = append(x.clean, func() { c.Close() })
	}
}

// runListener runs a cell of a listener.
func (x *cell) runListener() {
	if x.who.callbacks {
		x.must("callbacks", x.byCallbacks())
	}
	x.newListener()
	if x.ln == nil {
		return
	}
	if x.refused != nil {
		x.refusedCell()
	} else if x.row.read == nil {
		x.askCell()
	} else if x.call(func() { x.got, x.err = x.row.read(x) }) {
		x.ev.over(x)
		x.judge(len(x.got) > 0)
		if !x.ev.gone { // connections that come later are accepted, too
			x.dials()
			x.inTime(x.home.l, "Accept", func() error { _, err := accepted(x.ln.Accept()); return err })
			if x.ev.name == "plain" {
				x.acceptQueued()
			}
		}
	}
	if !x.ev.ended || x.closes() {
		x.inTime(x.home.l, "Close", func() error { return x.closed(x.ln) })
		x.closedOnce()
	}
	for _, f := range x.clean {
		f()
	}
}

// newListener makes the listener.
func (x *cell) newListener() {
	address := x.listens(x.net)
	x.byTask("Listen", func() (err error) {
		if x.who.callbacks {
			ln, err := x.place.(*onCallbacks).actors.Listen(x.net.name, address)
			if err == nil {
				x.ln = callbackListener{ln}
			}
			return err
		}
		if x.sockLn, err = sock.Listen(x.home.l, x.net.name, address); err == nil {
			x.ln = x.sockLn
		}
		return err
	})
}

// acceptQueued accepts a connection that came before the call.
func (x *cell) acceptQueued() {
	x.dials()
	x.pass(100 * time.Microsecond)
	x.must("Accept", x.who.run(x.runs, func() { _, x.err = x.row.read(x) }))
	x.must("Accept of one that had come", x.err)
}
