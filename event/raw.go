package event

import (
	"fmt"
	"syscall"

	"ringo/internal/handle"
	"ringo/internal/posix"
)

// SyscallConn gives access to the descriptor, for options and system calls that there is no method for; see
// syscall.RawConn. Only Control works, on the loop's thread: it first sends what Write has copied, as far as the socket
// has room, and calls its function at once, which must not wait, and must neither keep nor close the descriptor. It
// fails once the connection closes.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	c.here("Conn.SyscallConn")
	return (*rawConn)(c), nil
}

// rawConn is a connection as a syscall.RawConn.
type rawConn Conn

// Control calls f with the descriptor.
func (r *rawConn) Control(f func(fd uintptr)) error {
	c := (*Conn)(r)
	e := c.here("the Control of Conn.SyscallConn")
	if c.state == open {
		e.l.Outbox().SendNow(&c.accepted)
	}
	if c.state != open {
		return c.notOpen("raw-control")
	}
	n := c.fd.Sys()
	f(uintptr(n))
	if c.flags&unix == 0 {
		c.keepLinger(int32(handle.LingerOf(e.l, n) + 1))
	}
	return nil
}

// keepLinger keeps what SO_LINGER is, so that the close need not ask.
func (c *Conn) keepLinger(linger int32) {
	if linger != c.set.linger {
		c.own().linger = linger
	}
}

// Read fails: only Control works.
func (r *rawConn) Read(func(fd uintptr) bool) error { return r.refuse("raw-read") }

// Write fails: only Control works.
func (r *rawConn) Write(func(fd uintptr) bool) error { return r.refuse("raw-write") }

func (r *rawConn) refuse(name string) error { return (*Conn)(r).opError(name, errControlOnly) }

var errControlOnly = fmt.Errorf("%w: of a connection of callbacks only Control works", posix.EINVAL)
