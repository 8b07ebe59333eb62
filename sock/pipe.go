package sock

import (
	"net"
	"os"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// Pipe makes two connections of l that are each other's peers. It is for tests of code that takes a Conn, and needs no
// listener and no address. Both ends are full Conns, with deadlines, half-close, leases and buffers that fill up, on
// the loop's driver and kernel; on a loop in a simulated world they are part of that world.
//
// They are a pair of unnamed Unix sockets (socketpair(2), network "unix"). They differ from TCP: written bytes are with
// the peer at once; the first write after the peer has closed, or has closed its reading side, already fails with
// EPIPE; TCP options don't apply.
//
// Any goroutine may call it; callers other than tasks of l wait for the loop. It fails if the process is out of
// descriptors, and with net.ErrClosed once the loop has ended. A write of more than the buffers hold waits for a
// reader, so use the two ends in two tasks.
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

// newPiped makes a connection of one end; own says that it is for a task of the loop.
func newPiped(l *loop.Loop, n int32, own bool) *Conn {
	c := newConn(l, n)
	c.becomeUnix(net.UnixAddr{Name: "@", Net: "unix"}, net.UnixAddr{Name: "@", Net: "unix"})
	if !own {
		c.detach()
	}
	return c
}
