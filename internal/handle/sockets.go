package handle

import (
	"net/netip"

	"ringo/internal/loop"
)

// Sockets is what package sock does for package event, whose connections are not handles of sock, and for sockhttp.
// These are not methods of sock's types because programs have no use for them.
var Sockets struct {
	// Accept parks until the listener, a *sock.Listener, has a connection, and returns its descriptor, and its
	// Parts.Linger. Its errors are those of AcceptConn. T.
	Accept func(ln any) (fd, linger int32, err error)
	// CloseSoon begins to close the listener, or a *sock.Conn. Any caller.
	CloseSoon func(h any)
	// Closed takes a connection that Accept has returned off the listener's count.
	Closed func(ln any)
	// Take takes a *sock.Conn apart; for all other callers it is closed. T, parks.
	Take func(conn any) (Parts, error)
	// Make makes a *sock.Conn of parts. T.
	Make func(l *loop.Loop, p Parts) (conn any)
	// Ends makes the loop's thread call fn, once, when no more input will come on a *sock.Conn that is in a Request of
	// Serve; a nil fn ends that. Any caller.
	Ends func(conn any, fn func())
	// Rest makes the loop's thread call fn whenever something comes on a *sock.Conn and no reader waits for it: bytes,
	// an end or an error. fn must not park. The fn of the last call counts, and each call makes sure that it will be
	// called. Rest reports false if something has come already, or a reader waits. T, and not for connections of a
	// server.
	Rest func(conn any, fn func()) bool
	// Peer returns the address of a *sock.Conn's peer, without the allocation of a net.Addr. It is invalid if the peer
	// has no TCP address, or one with a zone. Any caller.
	Peer func(conn any) netip.AddrPort
	// Leave takes a *sock.Conn that is in a Request of Serve off its server, for the caller of Request. From then on
	// only its user closes it. Any caller.
	Leave func(conn any) error
	// Served makes the loop's thread call f soon for each *sock.Conn that Serve serves on the loop. f must not park.
	// Any caller.
	Served func(l *loop.Loop, f func(conn any))
	// EndRest closes a *sock.Conn that Serve serves, if it waits for its next Request. For the loop's thread.
	EndRest func(conn any)
	// Packets turns a *sock.PacketConn over to callbacks. The loop's thread calls news, in no task, when something may
	// have come, and once more when the socket is closed. news reports whether the callbacks want the packets. T.
	Packets func(packetConn any, news func() (wanted bool)) Packets
}

// Packets is a datagram socket for callbacks. All methods are for the loop's thread, and do not park.
type Packets interface {
	// Next returns the next datagram that has come; false if there is none now, and the caller should Arm. What d
	// refers to is valid until the next call, for this socket or another of the loop.
	Next(d *Datagram) (ok bool, err error)
	// Arm makes sure that news will be called.
	Arm() error
	// TrySend sends a datagram; false if there is no room. to is the zero value if the socket is connected.
	TrySend(p []byte, to netip.AddrPort) (sent bool, err error)
	// CloseSoon begins to close the socket.
	CloseSoon()
	// Closed reports whether the socket is closed, with nothing in flight.
	Closed() bool
}

// Datagram is a datagram that has come.
type Datagram struct {
	Bytes, Control []byte
	From           netip.AddrPort
	Flags          int
}

// Parts is a connection without a handle.
type Parts struct {
	FD     int32
	Unread []byte // received and not read
	Unsent []byte // accepted and not sent
	EOF    bool   // the peer's end follows Unread
	Err    int32  // the stream's error follows Unread; 0 for none
	Linger int32  // the argument of SetLinger plus 1; 0 if close(2) does not wait
}
