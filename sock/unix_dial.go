package sock

import (
	"errors"
	"fmt"
	"net"
	"time"

	"ringo/internal/dial"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// The first and the longest pause between two attempts to connect to a listener whose backlog is full. A connect that
// waited in the kernel would block a thread, and the kernel does not report when there is room.
const (
	fullMin = time.Millisecond
	fullMax = 64 * time.Millisecond
)

// dialUnix is dial for a Unix network.
func (d *Dialer) dialUnix(l *loop.Loop, network, name string, end time.Time, trace *dial.Trace) (c *Conn, err error) {
	if name == "" {
		return nil, dial.Error(network, nil, dial.MissingAddress)
	}
	addr := &net.UnixAddr{Name: name, Net: network}
	local, err := localUnix(network, d.LocalAddr)
	if err != nil {
		return nil, dial.Error(network, nil, err)
	}
	fail := func(err error) (*Conn, error) { return nil, local.fail(network, addr, err) }
	if dial.Passed(l, end) {
		return fail(dial.Late)
	}
	if trace != nil {
		done := trace.Connect(network, addr)
		defer func() { done(err) }()
	}
	if l.Canceled() {
		return fail(l.Cause())
	}
	if d.FastOpen {
		return fail(fmt.Errorf("Dialer.FastOpen of a Unix socket: %w", errors.ErrUnsupported))
	}
	s, err := newSocket(l.Kernel(), sys.AFUnix, unixType(network))
	s, err = watchable(l, s, err)
	if err != nil {
		return fail(err)
	}
	if err := d.controls().as(network, name, s); err != nil {
		s.close()
		return fail(err)
	}
	c = newConn(l, s.n)
	c.becomeUnix(net.UnixAddr{Net: network}, *addr)
	if local.path != "" {
		err = s.bindUnix(local.path)
	}
	if err == nil {
		err = c.connectUnix(end)
	}
	if err != nil {
		c.Close()
		return fail(err)
	}
	c.unix.local = unixName(l, c.core.FD(), kernel.Kernel.Getsockname, network)
	if peer := unixName(l, c.core.FD(), kernel.Kernel.Getpeername, network); peer.Name != "" {
		c.unix.remote = peer
	}
	return c, nil
}

// connectUnix connects to the remote name. It waits only if the listener's backlog is full.
func (c *Conn) connectUnix(end time.Time) error {
	for pause := fullMin; ; pause = min(2*pause, fullMax) {
		o := callExt(c.l, op.Connect)
		if !o.Ext.Addr.SetUnix(c.unix.remote.Name) {
			return noUnixName("connect")
		}
		switch res, _ := c.try(o); {
		case res >= 0:
			return nil
		case res != -sys.EADDRNOTAVAIL: // the op's error for a full backlog
			return callError("connect", res)
		}
		if !end.IsZero() {
			left := end.Sub(c.l.Clock())
			if left <= 0 {
				return dial.Slow
			}
			pause = min(pause, left)
		}
		if c.l.Sleep(pause) < 0 {
			return c.l.Cause()
		}
	}
}
