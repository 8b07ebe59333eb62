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

// waits is what a File has that is no file on a disk: a FIFO, a terminal, a device. Where
// readiness says when there is something, nobody sits in a call. Goroutines wait in
// Go's netpoller, by a file of package os that has the descriptor, and tasks in their
// loop's driver, by a duplicate for each wait: a driver knows a descriptor once, and
// Files belong to no loop.
//
// A call has its direction for itself, from its first byte to its last, in the order of
// arrival: what several write at once is not mixed, whoever they are, as with package os.
type waits struct {
	guest *os.File
	polls bool // otherwise it is always ready, as /dev/null is

	reads, writes ringo.Mutex // the two directions

	mu     sync.Mutex
	parked map[*parked]struct{}
	closed bool
}

// parked is a task that waits for readiness.
type parked struct {
	l     *loop.Loop
	o     *op.Op
	fd    fd.FD
	ended bool // the loop's thread's
}

// watch gives f its waits.
func (f *File) watch() {
	if f.setNonblock(true) != nil {
		return
	}
	w := &waits{guest: os.NewFile(uintptr(f.n), f.name), parked: map[*parked]struct{}{}}
	if w.polls = w.guest.SetDeadline(time.Time{}) == nil; !w.polls {
		f.setNonblock(false)
	}
	f.wait = w
	f.know(special)
	if w.polls {
		f.know(pollable)
	}
	f.dropped.Stop() // the guest has one of its own
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

// polls reports whether calls wait for readiness.
func (f *File) polls() bool { return f.wait != nil && f.wait.polls }

// evict ends the waits of a file that is being closed.
func (f *File) evict() {
	w := f.wait
	if w == nil {
		return
	}
	w.mu.Lock()
	w.closed = true
	for p := range w.parked {
		p.l.Call(func() {
			if !p.ended {
				p.l.Cancel(p.o)
			}
		})
	}
	w.mu.Unlock()
	if w.polls {
		w.guest.SetDeadline(time.Unix(1, 0))
	}
}

// enter waits for the turn of a call in a direction, which leaves it by Unlock.
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
	if err := f.enter(&f.wait.reads); err != nil {
		return 0, f.fail("read", err)
	}
	defer f.wait.reads.Unlock()
	l, _ := loop.Current()
	if l == nil {
		n, err := f.wait.guest.Read(p)
		return n, f.evicted("read", err)
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
	if err := f.enter(&f.wait.writes); err != nil {
		return 0, f.fail("write", err)
	}
	defer f.wait.writes.Unlock()
	l, _ := loop.Current()
	if l == nil {
		n, err := f.wait.guest.Write(p)
		return n, f.evicted("write", err)
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
	guest func(syscall.RawConn, func(uintptr) bool) error) error {
	if err := f.begin(name); err != nil {
		return err
	}
	defer f.refs.release()
	if !f.polls() {
		for !fn(uintptr(f.n)) {
			// It is always ready.
			if err := loop.GiveWay(); err != nil {
				return f.fail(name, err)
			}
		}
		return nil
	}
	direction := &f.wait.reads
	if code == op.Write {
		direction = &f.wait.writes
	}
	if err := f.enter(direction); err != nil {
		return f.fail(name, err)
	}
	defer direction.Unlock()
	l, _ := loop.Current()
	if l == nil {
		raw, err := f.wait.guest.SyscallConn()
		if err == nil {
			err = guest(raw, fn)
		}
		return f.evicted(name, err)
	}
	for !fn(uintptr(f.n)) {
		if err := f.wait.park(l, f.n, op.Table[code].Interest); err != nil {
			return f.fail(name, err)
		}
	}
	return nil
}

// evicted tells a goroutine that Close has ended its wait.
func (f *File) evicted(name string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return f.fail(name, os.ErrClosed)
	}
	return err
}

// transferReady reads or writes once, and parks until that can be done.
func (f *File) transferReady(l *loop.Loop, code op.Code, p []byte) (int, error) {
	if err := giveWay(l); err != nil {
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
		if err := f.wait.park(l, f.n, c.op.Interest()); err != nil {
			return 0, err
		}
	}
}

// park waits until the descriptor is ready for something of interest.
func (w *waits) park(l *loop.Loop, n int32, interest uint32) error {
	dup, err := duplicate(n)
	if err != nil {
		return err
	}
	p := &parked{l: l}
	p.fd.Init(dup)
	defer p.close()
	if err := l.Unwatchable(dup); err != nil {
		return err
	}
	if p.o = l.NewOp(op.Poll); p.o == nil {
		return errno(sys.ENOBUFS)
	}
	p.o.FD, p.o.Arg = &p.fd, interest
	if !w.register(p) {
		l.FreeOp(p.o)
		return os.ErrClosed
	}
	res := l.Do(p.o)
	p.ended = true
	l.FreeOp(p.o)
	w.mu.Lock()
	delete(w.parked, p)
	closed := w.closed
	w.mu.Unlock()
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

func (w *waits) register(p *parked) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.parked[p] = struct{}{}
	}
	return !w.closed
}

// close closes the duplicate, of which the driver knows.
func (p *parked) close() {
	c := newCall(op.Close, noFD)
	defer c.free()
	c.op.FD, c.op.Off = &p.fd, int64(p.fd.Take())
	p.l.Try(&c.op)
}

// duplicate gives another number for the open file.
func duplicate(n int32) (int32, error) { return result(loop.Kernel().Dup(n)) }
