package handle

import "ringo/internal/loop"

// Sockets is what package sock does for package event, whose connections are no handles of sock's. Programs have no
// need for it, so it is no method of theirs.
var Sockets struct {
	// Accept parks until the listener, a *sock.Listener, has a connection, and gives its descriptor; the error is that
	// of AcceptConn. T.
	Accept func(ln any) (fd int32, err error)
	// CloseSoon begins to close the listener. T.
	CloseSoon func(ln any)
	// Closed takes a connection that Accept has given off the listener's counts.
	Closed func(ln any)
	// Take takes a *sock.Conn apart, which is closed for everybody else. T, parks.
	Take func(conn any) (Parts, error)
	// Make makes a *sock.Conn of parts. T.
	Make func(l *loop.Loop, p Parts) (conn any)
}

// Parts is a connection without a handle.
type Parts struct {
	FD     int32
	Unread []byte // was received
	Unsent []byte // was accepted
	EOF    bool   // has come behind Unread
	Err    int32  // of the stream, likewise; 0: none
}
