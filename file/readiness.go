package file

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// readiness is what a File has that is no file on a disk: a FIFO, a terminal, a device.
// Where readiness says when there is something, nobody sits in a call. Goroutines wait in
// Go's netpoller, by a file of package os that owns the descriptor, and tasks in their
// loop's driver, by a duplicate for each wait: a driver knows a descriptor once, and
// Files belong to no loop.
//
// A call has its direction for itself, from its first byte to its last, in the order of
// arrival: what several write at once is not mixed, whoever they are, as with package os.
type readiness struct {
	netpoll *os.File

	reads, writes ringo.Mutex // the two directions

	mu      sync.Mutex
	waiters map[*waiter]struct{}
	closed  bool
}

// waiter is a task that waits for readiness.
type waiter struct {
	l     *loop.Loop
	o     *op.Op
	fd    fd.FD
	ended bool // the loop's thread's
}

// watch makes f one that is waited for by readiness.
func (f *File) watch() {
	if f.setNonblock(true) != nil {
		return
	}
	r := &readiness{netpoll: os.NewFile(uintptr(f.n), f.name), waiters: map[*waiter]struct{}{}}
	f.know(special)
	if r.netpoll.SetDeadline(time.Time{}) == nil {
		f.know(pollable)
	} else { // it is always ready, as /dev/null is
		f.setNonblock(false)
	}
	f.readiness = r
	f.dropped.Stop() // netpoll has one of its own
}

// setNonblock sets the mode of the open file.
func (f *File) setNonblock(on bool) error {
	k := loop.Kernel()
	flags := k.Getfl(f.n)
	if flags < 0 {
		return errno(-flags)
	}
	if flags &^= sys.ONonblock; on {
		flags |= sys.ONonblock
	}
	_, err := result(k.Setfl(f.n, flags))
	return err
}

// pollable reports whether calls wait for readiness.
func (f *File) pollable() bool { return facts(f.known.Load())&pollable != 0 }

// endWaits ends the waits for readiness of a file that is being closed.
func (f *File) endWaits() {
	r := f.readiness
	if r == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	for p := range r.waiters {
		p.l.Call(func() {
			if !p.ended {
				p.l.Cancel(p.o)
			}
		})
	}
	r.mu.Unlock()
	if f.pollable() {
		r.netpoll.SetDeadline(time.Unix(1, 0))
	}
}

// enter waits for access to a direction, which Unlock ends.
func (f *File) enter(direction *ringo.Mutex) error {
	if err := direction.Lock(); err != nil {
		return err
	}
	if f.refs.closing() { // while it waited
		direction.Unlock()
		return os.ErrClosed
	}
	return nil
}

// readReady reads what there is, when there is something.
func (f *File) readReady(p []byte) (int, error) {
	if err := f.enter(&f.readiness.reads); err != nil {
		return 0, f.fail("read", err)
	}
	defer f.readiness.reads.Unlock()
	l, _ := loop.Current()
	if l == nil {
		n, err := f.readiness.netpoll.Read(p)
		return n, f.closedError("read", err)
	}
	n, err := f.transferReady(l, op.Read, p)
	switch {
	case err != nil:
		return 0, f.fail("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// writeReady writes all of p, as there is room.
func (f *File) writeReady(p []byte) (n int, err error) {
	if err := f.enter(&f.readiness.writes); err != nil {
		return 0, f.fail("write", err)
	}
	defer f.readiness.writes.Unlock()
	l, _ := loop.Current()
	if l == nil {
		n, err := f.readiness.netpoll.Write(p)
		return n, f.closedError("write", err)
	}
	for {
		m, err := f.transferReady(l, op.Write, p[n:])
		if err != nil {
			return n, f.fail("write", err)
		}
		if n += m; n == len(p) {
			return n, nil
		}
	}
}

// rawWait calls fn until it returns true, and waits in between as the op of this code does.
func (f *File) rawWait(name string, code op.Code, fn func(fd uintptr) bool,
	netpoll func(syscall.RawConn, func(uintptr) bool) error) error {
	if err := f.begin(name); err != nil {
		return err
	}
	defer f.refs.release()
	if !f.pollable() {
		for !fn(uintptr(f.n)) {
			// It is always ready.
			if err := loop.ChargeAndYield(); err != nil {
				return f.fail(name, err)
			}
		}
		return nil
	}
	direction := &f.readiness.reads
	if code == op.Write {
		direction = &f.readiness.writes
	}
	if err := f.enter(direction); err != nil {
		return f.fail(name, err)
	}
	defer direction.Unlock()
	l, _ := loop.Current()
	if l == nil {
		raw, err := f.readiness.netpoll.SyscallConn()
		if err == nil {
			err = netpoll(raw, fn)
		}
		return f.closedError(name, err)
	}
	for !fn(uintptr(f.n)) {
		if err := f.readiness.park(l, f.n, op.Table[code].Interest); err != nil {
			return f.fail(name, err)
		}
	}
	return nil
}

// closedError is err, or says that Close has ended a goroutine's wait.
func (f *File) closedError(name string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return f.fail(name, os.ErrClosed)
	}
	return err
}

// transferReady reads or writes once, and parks until that can be done.
func (f *File) transferReady(l *loop.Loop, code op.Code, p []byte) (int, error) {
	if err := chargeAndYield(l); err != nil {
		return 0, err
	}
	c := newCall(code, f.n)
	defer c.free()
	c.op.Buf, c.op.Off = p[:min(len(p), turnMax)], -1
	for {
		res := driver.Call(&c.op)
		if res != -sys.EAGAIN && res != -sys.EINTR {
			n, err := result(res)
			return int(n), err
		}
		if err := f.readiness.park(l, f.n, c.op.Interest()); err != nil {
			return 0, err
		}
	}
}

// park waits until the descriptor is ready for something of interest.
func (r *readiness) park(l *loop.Loop, n int32, interest uint32) error {
	dup, err := duplicate(n)
	if err != nil {
		return err
	}
	p := &waiter{l: l}
	p.fd.Init(dup)
	defer p.close()
	if err := l.Unwatchable(dup); err != nil {
		return err
	}
	if p.o = l.NewOp(op.Poll); p.o == nil {
		return errno(sys.ENOBUFS)
	}
	p.o.FD, p.o.Events = &p.fd, uint16(interest)
	if !r.register(p) {
		l.FreeOp(p.o)
		return os.ErrClosed
	}
	res := l.Do(p.o)
	p.ended = true
	l.FreeOp(p.o)
	r.mu.Lock()
	delete(r.waiters, p)
	closed := r.closed
	r.mu.Unlock()
	switch {
	case closed:
		return os.ErrClosed
	case res == -sys.ECANCELED && l.Canceled():
		return l.Cause()
	case res < 0:
		return errno(-res)
	}
	return nil
}

func (r *readiness) register(p *waiter) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.waiters[p] = struct{}{}
	}
	return !r.closed
}

// close closes the duplicate, of which the driver knows.
func (p *waiter) close() {
	p.l.CloseFD(&p.fd)
}

// duplicate gives another number for the open file.
func duplicate(n int32) (int32, error) { return result(loop.Kernel().Dup(n)) }
