package sock

import (
	"net"
	"os"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// Pipe makes two connections of l that are each other's peers: what one writes the other reads. It is for tests of code
// that takes a Conn, and needs no listener and no address. Both ends have all that a Conn has, deadlines, half-close,
// leases and buffers that fill among them, on whatever driver and kernel the loop has; of a loop in a simulated world
// they are in that world.
//
// They are Unix sockets of a pair (socketpair(2), network "unix") without names. In this they are not as TCP: what is
// written is with the peer at once; a write to an end that was closed, or whose reading side was, fails with EPIPE
// the first time; options of TCP don't apply.
//
// Any goroutine may call it; one that is no task of l waits for the loop. Errors are those of a full table of
// descriptors, and net.ErrClosed once the loop has ended. A write of more than the buffers hold waits for a reader, so
// that the two ends are for two tasks.
func Pipe(l *ringo.Loop) (a, b *Conn, err error) {
	e := (*loop.Loop)(l)
	own := e.IsCurrent()
	err = onOwner(e, func() error {
		x, y, res := e.Kernel().Socketpair(sys.SockStream)
		if res < 0 {
			return callError("socketpair", res)
		}
		for _, n := range []int32{x, y} {
			if err := e.Unwatchable(n); err != nil {
				e.Kernel().Close(x)
				e.Kernel().Close(y)
				return os.NewSyscallError("socketpair", err)
			}
		}
		a, b = newPiped(e, x, own), newPiped(e, y, own)
		return nil
	})
	if l == nil {
		err = errNoLoop
	}
	if err != nil {
		return nil, nil, &net.OpError{Op: "pipe", Net: "unix", Err: err}
	}
	return a, b, nil
}

// newPiped makes a connection of one end; own says that a task of the loop is to have it.
func newPiped(l *loop.Loop, n int32, own bool) *Conn {
	c := newConn(l, n)
	c.becomeUnix(net.UnixAddr{Name: "@", Net: "unix"}, net.UnixAddr{Name: "@", Net: "unix"})
	if !own {
		c.detach()
	}
	return c
}
