package sock

import (
	"fmt"
	"syscall"

	"ringo/internal/handle"
	"ringo/internal/posix"
)

// SyscallConn gives access to the descriptor, for system calls that there is no method for; see syscall.RawConn. Any
// goroutine and any task may use it; a task parks.
//
// Control calls f at once, whatever other calls are in flight, but first sends buffered writes (see Conn.Write), for
// which it waits while the peer is slow, until the write deadline. Read and Write wait for the readers or writers that
// came before them. Then the loop has no operation in that direction, so f finds exactly what the kernel has. While f
// returns false they wait until the socket is ready and call f again, until it returns true. If the socket is ready
// already they call f again at once, even if f has not read anything, where package net would wait for more: a task
// whose f does not take what is available busy-loops. f must not wait: its calls have to be non-blocking
// (MSG_DONTWAIT). A deadline ends Read and Write with os.ErrDeadlineExceeded, and Close with net.ErrClosed; f itself
// must not close the connection, since Close waits for f. The descriptor stays the connection's: f must neither keep
// nor close it. For a task of another loop f may run on another goroutine.
//
// f can't see bytes that the connection has already received: if some are unread, Read fails with ErrUnread and does
// not call f. Like other reads, it invalidates bytes from Peek.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.l == nil {
		return nil, errZero
	}
	return (*rawConn)(c), nil
}

// rawConn is a connection as a syscall.RawConn.
type rawConn Conn

func (r *rawConn) raw() *handle.RawConn {
	return &handle.RawConn{Core: &r.core, Fail: (*Conn)(r).failed}
}

// Control calls f with the descriptor, which stays open until f returns. f may set SO_LINGER.
func (r *rawConn) Control(f func(fd uintptr)) error {
	c := (*Conn)(r)
	return r.raw().Control(func(fd uintptr) {
		f(fd)
		if c.unix == nil {
			c.core.SetLinger(handle.LingerOf(c.l, int32(fd)))
		}
	})
}

// Read calls f until it reports true: at once, and each time there may be something to read.
func (r *rawConn) Read(f func(fd uintptr) bool) error { return r.raw().Read(f) }

// Write calls f until it reports true: at once, and each time there may be room to write.
func (r *rawConn) Write(f func(fd uintptr) bool) error { return r.raw().Write(f) }

// SyscallConn gives access to the listening descriptor, see syscall.RawConn. As in package net only Control works,
// which calls its function at once. That function must neither keep nor close the descriptor, nor close the listener.
// Any goroutine may call it.
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
	err := ln.core.Control(func(fd uintptr) {
		f(fd)
		if ln.unix == nil {
			ln.askLinger()
		}
	})
	switch {
	case err == nil:
		return nil
	case ln.l.Ended():
		err = errEnded
	}
	return ln.fail("raw-control", err)
}

// Read fails: a listener can only be controlled.
func (r *rawListener) Read(func(fd uintptr) bool) error {
	return (*Listener)(r).fail("raw-read", errAcceptOnly)
}

// Write fails: a listener can only be controlled.
func (r *rawListener) Write(func(fd uintptr) bool) error {
	return (*Listener)(r).fail("raw-write", errAcceptOnly)
}

var errAcceptOnly = fmt.Errorf("%w: of a listener only Control works", posix.EINVAL)
