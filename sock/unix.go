package sock

import (
	"net"

	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// unixEnds is what a connection has more if its socket is of the Unix family. Such a
// connection is always read at readiness, into the reader's own memory: a multishot
// receive would lose the descriptors that are passed, and where one record ends and
// the next begins.
type unixEnds struct {
	local, remote net.UnixAddr
	records       bool          // a read gives one record, a write sends one
	from          *acceptCounts // of the listener that accepted it; nil: none did
}

// peer is the remote address as reads give it: nil if it has no name.
func (u *unixEnds) peer() *net.UnixAddr {
	if u.remote.Name == "" || u.remote.Name == "@" {
		return nil
	}
	return &u.remote
}

// unixNetwork reports whether a network is one of connections between Unix sockets.
func unixNetwork(network string) bool { return network == "unix" || network == "unixpacket" }

// unixType is the type of a network's sockets.
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
		return // foreign callers don't ask
	}
	c.in.Retry()
	// A receive stops behind bytes that descriptors came with, so that a short count
	// is no sign of having read all.
	c.in.Doubt()
}

// lends reports whether the kernel brings the bytes in buffers of its choosing.
func (c *Conn) lends() bool { return c.unix == nil && c.l.Lends() }

// records reports whether the connection keeps the boundaries of what is written.
func (c *Conn) records() bool { return c.unix != nil && c.unix.records }

// network is the network that errors and addresses name.
func (c *Conn) network() string {
	if c.unix != nil {
		return c.unix.local.Net
	}
	return "tcp"
}

// unixName asks for the name of one end of a Unix socket. T.
func unixName(l *loop.Loop, f *fd.FD, ask nameCall, network string) net.UnixAddr {
	return unixNameBy(l, &loopStateOf(l).name, f, ask, network)
}

// unixNameBy is unixName by memory of the caller's. G.
func unixNameBy(l *loop.Loop, sa *sys.Sockaddr, f *fd.FD, ask nameCall, network string) net.UnixAddr {
	if ask(l.Kernel(), f.Sys(), sa) < 0 {
		return net.UnixAddr{Net: network}
	}
	return unixAddr(sa, network)
}

// unixAddr is a name as package net shows it, where a socket that was not given one
// is "@".
func unixAddr(sa *sys.Sockaddr, network string) net.UnixAddr {
	name, ok := sa.Unix()
	if ok && name == "" {
		name = "@"
	}
	return net.UnixAddr{Name: name, Net: network}
}
