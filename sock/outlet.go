package sock

import (
	"context"
	"io"
	"net"
	"reflect"
	"syscall"
	"time"

	"ringo/buf"
	"ringo/internal/fd"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// outletOf says how a task of src's loop writes to w what came to src.
func outletOf(src *Conn, w io.Writer) outlet {
	switch w := w.(type) {
	case *Conn:
		if w.l == src.l && !w.records() {
			return (*near)(w)
		}
		return (*far)(w)
	}
	if f := foreignOf(w); f != nil {
		return &deputed{src: src, to: f}
	}
	return anybody{w}
}

// anybody is an outlet about which nothing is known.
type anybody struct{ io.Writer }

func (w anybody) splices() bool                           { return false }
func (w anybody) drain(pipe) (int, error)                 { panic("sock: splice to a stranger") }
func (w anybody) put(_ *Conn, b *buf.Buffer) (int, error) { return pass(w.Writer, b) }

// pass writes a buffer's bytes to a stranger and gives it back.
//
//go:noinline
func pass(w io.Writer, b *buf.Buffer) (int, error) {
	defer b.Pool().Put(b) // also if w panics
	p := b.Unread()
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// far is an outlet: a connection of another loop.
type far Conn

func (d *far) splices() bool                           { return !(*Conn)(d).records() }
func (d *far) put(_ *Conn, b *buf.Buffer) (int, error) { return pass((*Conn)(d), b) }
func (d *far) Write(p []byte) (int, error)             { return (*Conn)(d).Write(p) }
func (d *far) drain(p pipe) (int, error)               { return (*Conn)(d).drainForeign(p) }

// drainForeign splices what is in a pipe, for foreign callers.
func (c *Conn) drainForeign(p pipe) (total int, err error) {
	a, err := c.core.Enter(handle.Out)
	if err == nil {
		o := a.Op()
		o.Code, o.Arg2 = op.SpliceOut, uint32(p.r)
		for err == nil && p.held > 0 {
			var res int32
			o.Arg = uint32(p.held)
			if res, err = a.Do(); res < 0 {
				err = callError("splice", res)
			}
			if err == nil {
				total += int(res)
				p.held -= int(res)
			}
		}
		o.Code, o.Arg, o.Arg2 = op.Send, 0, 0
		c.core.Leave(a)
	}
	return total, c.failed("write", err)
}

// foreign is a connection of package net, as what splices go to and come from.
type foreign struct {
	net.Conn
	raw  syscall.RawConn
	fd   fd.FD
	op   op.Op
	res  int32
	once bool // attempts are not repeated
}

// foreignOf gives a stream of package net, be it in a wrapper of that package's own, such
// as those in which io.Copy meets them; nil for everything else.
func foreignOf(v any) *foreign {
	switch v.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		if t := reflect.TypeOf(v); t == nil || t.PkgPath() != "net" {
			return nil
		}
	}
	c, ok := v.(net.Conn)
	if !ok {
		return nil
	}
	if network := c.LocalAddr().Network(); network != "tcp" && network != "unix" {
		return nil
	}
	raw, err := v.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return &foreign{Conn: c, raw: raw}
}

// attempt makes the call; false if it would have to wait.
func (f *foreign) attempt(n uintptr) bool {
	f.fd.Init(int32(n))
	f.op.FD = &f.fd
	f.res = f.op.Attempt()
	return f.once || f.res != -sys.EAGAIN
}

// drain splices what is in a pipe, and waits as package net does.
func (f *foreign) drain(p pipe) (total int, err error) {
	for p.held > 0 {
		f.op = op.Op{Code: op.SpliceOut, Arg: uint32(p.held), Arg2: uint32(p.r)}
		if err := f.raw.Write(f.attempt); err != nil {
			return total, f.fail("write", err)
		}
		if f.res < 0 {
			return total, f.fail("write", callError("splice", f.res))
		}
		total += int(f.res)
		p.held -= int(f.res)
	}
	return total, nil
}

// fail wraps an error as package net does.
func (f *foreign) fail(name string, err error) error {
	if e, ok := err.(*net.OpError); ok {
		err = e.Err // the RawConn's own name for it
	}
	local := f.LocalAddr()
	return &net.OpError{Op: name, Net: local.Network(), Source: local, Addr: f.RemoteAddr(), Err: err}
}

// deputed is an outlet of a task: a connection of package net, to which a goroutine
// writes.
type deputed struct {
	src *Conn
	to  *foreign
}

func (d *deputed) splices() bool { return true }

func (f *foreign) splices() bool { return true }

func (d *deputed) put(_ *Conn, b *buf.Buffer) (n int, err error) {
	p := append([]byte(nil), b.Unread()...) // the goroutine may have to wait
	b.Pool().Put(b)
	err = d.wait(func() error {
		var err error
		n, err = d.to.Write(p)
		return err
	})
	return n, err
}

func (d *deputed) drain(p pipe) (n int, err error) {
	err = d.wait(func() error {
		var err error
		n, err = d.to.drain(p)
		return err
	})
	return n, err
}

// wait runs f on a goroutine, until the task is cancelled.
func (d *deputed) wait(f func() error) error {
	d.src.in.spill(d.src)
	d.src.in.slow = true
	defer func() { d.src.in.slow = false }()
	return depute(d.src.l, d.to.SetWriteDeadline, f)
}

// depute runs f, which waits for a connection, on a goroutine. When the task is
// cancelled, setDeadline ends the wait.
func depute(l *loop.Loop, setDeadline func(time.Time) error, f func() error) error {
	ran, ended := false, false
	err := l.Offload(func(ctx context.Context) error {
		ran = true
		stop := context.AfterFunc(ctx, func() { setDeadline(time.Unix(1, 0)) })
		err := f()
		ended = !stop()
		return err
	})
	if err != nil && (!ran || ended) {
		return l.Cause()
	}
	return err
}
