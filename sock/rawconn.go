package sock

import (
	"fmt"
	"syscall"

	"ringo/internal/handle"
	"ringo/internal/posix"
)

// SyscallConn passes the descriptor to functions of the caller's, for system calls
// that there is no method for; see syscall.RawConn. Any goroutine and any task may use
// it, which parks a task, and not its loop.
//
// Control calls f at once, whatever else is under way, if nothing that was accepted (see Conn.Write) is to be sent
// first: for that it waits while the peer is slow, until the write deadline. Read and Write take their turn in
// their direction, behind the readers or writers that came before. Then nothing of
// the loop's is armed there, so that what f finds is what the kernel has: while f
// reports false they wait for the socket to become ready and call it again, until it
// reports true. If it is ready already they do so at once, also where f has not looked,
// for which package net would wait until more comes: a task whose f refuses what is there
// turns until it does not. f must not wait: its calls have to be non-blocking ones
// (MSG_DONTWAIT). A deadline that has passed ends them with os.ErrDeadlineExceeded, and
// Close with net.ErrClosed; f itself must not close the connection, since Close waits for f.
// What f is given stays this connection's descriptor, which f must neither keep nor
// close. For a task of another loop f may run on another goroutine.
//
// Bytes that were received already are out of f's reach: with some unread, Read fails
// with ErrUnread and calls nothing. As reads do, it ends the validity of bytes from
// Peek.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.l == nil {
		return nil, errZero
	}
	return &handle.RawConn{Core: &c.core, Fail: c.failed}, nil
}

// SyscallConn passes the listening descriptor to functions of the caller's, see
// syscall.RawConn. As in package net only Control works, which calls its function at
// once: what there is to read on a listener is connections, and those are the loop's
// to accept. f must neither keep nor close the descriptor, nor close the listener. Any
// goroutine may call it.
func (ln *Listener) SyscallConn() (syscall.RawConn, error) {
	if ln.l == nil {
		return nil, errZero
	}
	return (*rawListener)(ln), nil
}

// rawListener is a listener as a syscall.RawConn.
type rawListener Listener

// Control calls f with the descriptor, which stays open until f returns.
func (r *rawListener) Control(f func(fd uintptr)) error {
	ln := (*Listener)(r)
	err := ln.core.Control(f)
	switch {
	case err == nil:
		return nil
	case ln.l.Ended():
		err = errEnded
	}
	return ln.fail("raw-control", err)
}

// Read fails.
func (r *rawListener) Read(func(fd uintptr) bool) error {
	return (*Listener)(r).fail("raw-read", errAcceptOnly)
}

// Write fails.
func (r *rawListener) Write(func(fd uintptr) bool) error {
	return (*Listener)(r).fail("raw-write", errAcceptOnly)
}

var errAcceptOnly = fmt.Errorf("%w: of a listener only Control works", posix.EINVAL)
