package handle

import (
	"net/netip"

	"ringo/internal/loop"
)

// Sockets is what package sock does for package event, whose connections are no handles of sock's, and for sockhttp.
// Programs have no need for it, so it is no method of theirs.
var Sockets struct {
	// Accept parks until the listener, a *sock.Listener, has a connection, and gives its descriptor; the error is that
	// of AcceptConn. T.
	Accept func(ln any) (fd int32, err error)
	// CloseSoon begins to close the listener, or a *sock.Conn. Any caller.
	CloseSoon func(h any)
	// Closed takes a connection that Accept has given off the listener's counts.
	Closed func(ln any)
	// Take takes a *sock.Conn apart, which is closed for everybody else. T, parks.
	Take func(conn any) (Parts, error)
	// Make makes a *sock.Conn of parts. T.
	Make func(l *loop.Loop, p Parts) (conn any)
	// Ends has fn called once, on the loop's thread, when no more input will come of a *sock.Conn that is in a Request
	// of Serve; nil: nobody is told any more. Any caller.
	Ends func(conn any, fn func())
	// Rest has fn called, on the loop's thread, whenever something comes of a *sock.Conn that no reader waits for:
	// bytes, an end or an error. fn must not park; that of the last call counts, and each call sees to it that it will
	// hear. false: something has come already, or somebody reads. T, and not for connections of a server.
	Rest func(conn any, fn func()) bool
	// Peer gives the address of a *sock.Conn's peer, which takes no memory as its net.Addr does; invalid if it has none
	// of TCP, or one with a zone. Any caller.
	Peer func(conn any) netip.AddrPort
	// Leave takes a *sock.Conn that is in a Request of Serve off its server, for whoever has called Request: it is a
	// connection as any, which nobody closes but its user. Any caller.
	Leave func(conn any) error
	// Served has f called for each *sock.Conn that Serve serves on a loop, by the loop's thread and soon: it must not
	// park. Any caller.
	Served func(l *loop.Loop, f func(conn any))
	// EndRest closes a *sock.Conn that Serve serves, if it waits for its next Request. For the loop's thread.
	EndRest func(conn any)
	// Packets gives a *sock.PacketConn for callbacks. news is called, on the loop's thread and by no task, when
	// something may have come, and says whether anybody wants it; and once more when the socket is closed. T.
	Packets func(packetConn any, news func() (wanted bool)) Packets
}

// Packets is a socket of datagrams whose events callbacks are told. All of it is for the loop's thread, and parks
// nobody.
type Packets interface {
	// Next gives the next datagram that has come; false if there is none now, and Arm is in order. What it names is
	// lent until the next call, of this socket's or of another of the loop.
	Next(d *Datagram) (ok bool, err error)
	// Arm sees to it that there will be news.
	Arm() error
	// TrySend sends a datagram; false if there is no room. to is the zero value where the socket is connected.
	TrySend(p []byte, to netip.AddrPort) (sent bool, err error)
	// CloseSoon begins to close the socket.
	CloseSoon()
	// Closed reports whether it is, and nothing of it is under way.
	Closed() bool
}

// Datagram is one that has come.
type Datagram struct {
	Bytes, Control []byte
	From           netip.AddrPort
	Flags          int
}

// Parts is a connection without a handle.
type Parts struct {
	FD     int32
	Unread []byte // was received
	Unsent []byte // was accepted
	EOF    bool   // has come behind Unread
	Err    int32  // of the stream, likewise; 0: none
}
