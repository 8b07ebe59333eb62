package relay

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Net is a connection of package net as a source and a sink. A goroutine waits as package net does; for a task, a
// goroutine of Offload waits in its place, and a cancel leaves the connection's deadline in the past.
type Net struct {
	net.Conn
	l     *loop.Loop // the task's loop; nil: the caller is a goroutine
	whole bool       // what is read or written is a record or a datagram, which a splice would cut or join
	raw   syscall.RawConn
	fd    fd.FD
	op    op.Op
	res   int32
	once  bool // attempt does not wait and repeat
}

// NetOf returns the connection of package net in v, nil if v is something else. The caller is in a task of l, or in
// none if l is nil. v may be one of package net's own wrappers, in which io.Copy passes streams.
func NetOf(v any, l *loop.Loop) *Net {
	c := netConn(v)
	if c == nil {
		return nil
	}
	addr := c.LocalAddr() // nil for a zero value
	if addr == nil {
		return nil
	}
	network := addr.Network()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return &Net{Conn: c, l: l, whole: network != "tcp" && network != "unix", raw: raw}
}

// Splices reports whether Drain may be called.
func (n *Net) Splices() bool { return sys.HaveSplice && !n.whole }

// Wait waits until a read would not block.
func (n *Net) Wait() error {
	return n.inPlace(n.SetReadDeadline, func() error {
		n.op = op.Op{Code: op.Poll, Events: interest}
		return n.read()
	})
}

// interest includes ends and urgent bytes, so that what comes with them is not missed.
const interest = sys.PollIn | sys.PollRdhup | sys.PollPri

// Read calls the connection's Read.
func (n *Net) Read(p []byte) (k int, err error) {
	err = n.inPlace(n.SetReadDeadline, func() (err error) {
		k, err = n.Conn.Read(p)
		return err
	})
	return k, err
}

// Write calls the connection's Write.
func (n *Net) Write(p []byte) (k int, err error) {
	err = n.inPlace(n.SetWriteDeadline, func() (err error) {
		k, err = n.Conn.Write(p)
		return err
	})
	return k, err
}

// Fill splices what there is into a pipe, without waiting.
func (n *Net) Fill(p Pipe) (k int, ok bool, err error) {
	if n.whole {
		return 0, false, nil
	}
	n.op, n.once = op.Op{Code: op.SpliceIn, Limit: pieceMax, Other: p.W}, true
	err = n.read()
	n.once = false
	switch {
	case err != nil || n.res == 0:
		return 0, false, err
	case n.res == -sys.EAGAIN:
		return 0, true, nil
	case n.res < 0:
		return 0, false, n.fail("read", os.NewSyscallError("splice", posix.Of(n.res)))
	}
	return int(n.res), true, nil
}

// Done drops the bytes: package net can't take them back.
func (n *Net) Done([]byte) {}

// pieceMax bounds the bytes that one call moves.
const pieceMax = 1 << 20

// Drain splices the content of a pipe to the connection.
func (n *Net) Drain(p Pipe) (total int, err error) {
	err = n.inPlace(n.SetWriteDeadline, func() error {
		for p.Held > 0 {
			n.op = op.Op{Code: op.SpliceOut, Limit: uint32(p.Held), Other: p.R}
			if err := n.raw.Write(n.attempt); err != nil {
				return n.fail("write", err)
			}
			if n.res < 0 {
				return n.fail("write", os.NewSyscallError("splice", posix.Of(n.res)))
			}
			total += int(n.res)
			p.Held -= int(n.res)
		}
		return nil
	})
	return total, err
}

func (n *Net) read() error {
	if err := n.raw.Read(n.attempt); err != nil {
		return n.fail("read", err)
	}
	return nil
}

// attempt makes the call; it returns false if the call would have to wait.
func (n *Net) attempt(fd uintptr) bool {
	n.fd.Init(int32(fd))
	n.op.FD = &n.fd
	n.res = driver.Call(&n.op)
	return n.once || n.res != -sys.EAGAIN
}

// fail wraps an error as package net does.
func (n *Net) fail(name string, err error) error {
	if e, ok := err.(*net.OpError); ok {
		err = e.Err // without the RawConn's own name for the operation
	}
	local := n.LocalAddr()
	return &net.OpError{Op: name, Net: local.Network(), Source: local, Addr: n.RemoteAddr(), Err: err}
}

// inPlace calls f, which waits for the connection: on a goroutine, if the caller is a task. If the task is cancelled,
// setDeadline ends the wait.
func (n *Net) inPlace(setDeadline func(time.Time) error, f func() error) error {
	if n.l == nil {
		return f()
	}
	ran, ended := false, false
	err := n.l.OffloadIn(lane.StandIns, func(ctx context.Context) error {
		ran = true
		set := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(set)
			setDeadline(time.Unix(1, 0))
		})
		err := f()
		if ended = !stop(); ended {
			<-set // or it would take the place of one that the program sets next
		}
		return err
	})
	if err != nil && (!ran || ended) {
		return n.l.Cause()
	}
	return err
}
