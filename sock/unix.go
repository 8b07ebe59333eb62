package sock

import (
	"net"

	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// unixEnds is what only connections between Unix sockets have. Such a connection is always read at readiness, into the
// reader's own memory: a multishot receive would lose passed descriptors, and the boundaries of records.
type unixEnds struct {
	local, remote net.UnixAddr
	records       bool          // a read returns one record, a write sends one
	from          *acceptCounts // of the listener that accepted it; nil: none did
}

// peer returns the remote address as reads do: nil if it has no name.
func (u *unixEnds) peer() *net.UnixAddr {
	if u.remote.Name == "" || u.remote.Name == "@" {
		return nil
	}
	return &u.remote
}

// unixNetwork reports whether a network is one of connections between Unix sockets.
func unixNetwork(network string) bool { return network == "unix" || network == "unixpacket" }

// shownNetwork returns the kind of a socket for errors.
func shownNetwork(network string) string {
	if network == vsock {
		return vsock
	}
	return "Unix"
}

// unixType returns the socket type of a network.
func unixType(network string) int {
	if network == "unixpacket" {
		return sys.SockSeqpacket
	}
	return sys.SockStream
}

// becomeUnix makes c, which is new, a connection of a Unix network.
func (c *Conn) becomeUnix(local, remote net.UnixAddr) {
	c.unix = &unixEnds{local: local, remote: remote, records: local.Net == "unixpacket"}
	if c.unix.records {
		c.accepts.Store(0)
	}
	if c.atHand == nil {
		return // foreign callers don't need it
	}
	c.in.Retry()
	// A receive stops after bytes that came with descriptors, so a short count does not show that all was read.
	c.in.Doubt()
}

// lends reports whether the kernel receives into buffers that it picks from the loop's ring.
func (c *Conn) lends() bool { return c.unix == nil && c.l.Lends() }

// records reports whether each write is a record, whose boundaries are kept.
func (c *Conn) records() bool { return c.unix != nil && c.unix.records }

// network returns the network's name, for errors, as the program has named it.
func (c *Conn) network() string {
	switch {
	case c.unix != nil:
		return c.unix.local.Net
	case c.laddr == nil:
	case c.laddr.vsock != nil:
		return vsock
	case c.laddr.version == '4':
		return "tcp4"
	case c.laddr.version == '6':
		return "tcp6"
	}
	return "tcp"
}

// unixName returns the name of one end of a Unix socket. T.
func unixName(l *loop.Loop, f *fd.FD, ask nameCall, network string) net.UnixAddr {
	return unixNameBy(l, &loopStateOf(l).name, f, ask, network)
}

// unixNameBy is unixName with sa as the memory for the call. G.
func unixNameBy(l *loop.Loop, sa *sys.Sockaddr, f *fd.FD, ask nameCall, network string) net.UnixAddr {
	if ask(l.Kernel(), f.Sys(), sa) < 0 {
		return net.UnixAddr{Net: network}
	}
	return unixAddr(sa, network)
}

// unixAddr returns a name as package net shows it, in which a socket without a name is "@".
func unixAddr(sa *sys.Sockaddr, network string) net.UnixAddr {
	name, ok := sa.Unix()
	if ok && name == "" {
		name = "@"
	}
	return net.UnixAddr{Name: name, Net: network}
}
