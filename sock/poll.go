package sock

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
)

// Interest is what a descriptor can be ready for, as bits.
type Interest uint32

// What to wait for. The last three are reported in any case.
const (
	Readable Interest = 0x1    // POLLIN: a read would not wait
	Urgent   Interest = 0x2    // POLLPRI: something out of the ordinary, see poll(2)
	Writable Interest = 0x4    // POLLOUT: there is room to write
	Failed   Interest = 0x8    // POLLERR; of a pipe's end to write: nobody reads
	HungUp   Interest = 0x10   // POLLHUP: the other end is gone
	PeerDone Interest = 0x2000 // POLLRDHUP: the peer of a socket writes no more
)

// Pollable is a descriptor that can be waited for and that is not a socket of this
// package's: an eventfd, timerfd, pidfd, signalfd or inotify, a pipe, FIFO or terminal, a
// tun device. It belongs to one loop, and only tasks of that loop may call its methods;
// others get ringo.ErrNotTask.
//
// Others may share the open file, as everybody shares a terminal, so it is left in the
// mode in which it is: O_NONBLOCK is never set. In blocking mode calls are told not to
// wait, one by one (RWF_NOWAIT). Where this sort of file knows no such thing, FIFOs and
// terminals among them, a call comes after a look at its readiness, on a thread of
// Offload: if another process was faster then only the task waits, for what comes next,
// and can't be cancelled until then.
type Pollable struct {
	l     *loop.Loop
	core  handle.Core
	own   handle.Own
	name  string
	waits []*pollWait
}

// Poll makes a Pollable of a file, or of anything else that has a descriptor; a mere
// one is a file by os.NewFile. It works on a duplicate, close-on-exec, so that the file
// stays the caller's to close; other readers of it take its bytes. Files that
// are always ready, on a disk, are refused: their calls wait for the disk, and go
// through ringo.Loop.Offload. Only a task of l may call it.
func Poll(l *ringo.Loop, f syscall.Conn) (*Pollable, error) {
	p := &Pollable{l: (*loop.Loop)(l), name: "fd"}
	if named, ok := f.(interface{ Name() string }); ok {
		p.name = named.Name()
	}
	switch {
	case l == nil:
		return nil, &fs.PathError{Op: "poll", Path: p.name, Err: errNoLoop}
	case !p.l.IsCurrent():
		return nil, p.fail("poll", stranger(p.l))
	}
	if has, ok := f.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := has.Stat(); err == nil && onDisk(info.Mode()) && !nameless(info) {
			return nil, p.fail("poll", errOnDisk)
		}
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, p.fail("poll", err)
	}
	n := int32(-1)
	err = raw.Control(func(number uintptr) { n = duplicate(int32(number)) })
	if err == nil && n < 0 {
		err = callError("fcntl", n)
	}
	if err != nil {
		return nil, p.fail("poll", err)
	}
	if err := p.l.Unwatchable(n); err != nil {
		p.l.Kernel().Close(n)
		return nil, p.fail("poll", err)
	}
	p.core.Init(p.l, &pollOwner{p: p}, n, &p.own)
	return p, nil
}

// errOnDisk is why a file can't be waited for.
var errOnDisk = errors.New("a file on a disk is always ready, and its calls wait for the disk: make them in " +
	"Loop.Offload")

// onDisk reports whether readiness means nothing for a sort of file.
func onDisk(mode fs.FileMode) bool {
	return mode.IsRegular() || mode.IsDir() || mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
}

// Loop is the loop that it belongs to. Any goroutine may call it.
func (p *Pollable) Loop() *ringo.Loop { return (*ringo.Loop)(p.l) }

// Read reads what there is into b, once, and parks until there is something. b is lent
// to the kernel until it returns. io.EOF is bare; everything else is an *fs.PathError.
// Several readers take turns. What a read returns, and how large b must be, depends on the
// file: see eventfd(2), timerfd_create(2), inotify(7).
func (p *Pollable) Read(b []byte) (int, error) {
	a, err := p.enter("read", handle.In)
	if err != nil {
		return 0, err
	}
	defer p.core.Leave(a)
	res, err := p.transfer("read", op.Read, handle.In, b)
	switch {
	case err != nil:
		return 0, err
	case res == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return int(res), nil
}

// Write writes all of b, or fails with the count that went out, and parks while there is
// no room. b is lent to the kernel until it returns. Several writers take turns.
func (p *Pollable) Write(b []byte) (n int, err error) {
	a, err := p.enter("write", handle.Out)
	if err != nil {
		return 0, err
	}
	defer p.core.Leave(a)
	for {
		res, err := p.transfer("write", op.Write, handle.Out, b[n:])
		if err != nil {
			return n, err
		}
		if n += int(res); n == len(b) {
			return n, nil
		}
		if res == 0 {
			return n, p.fail("write", io.ErrShortWrite)
		}
	}
}

// Wait parks until the descriptor is ready for something of interest, or has hung up or
// failed, and says what it is ready for. It reads nothing, so that the next Wait will
// find the same unless somebody does. It takes no turn. The deadlines of the
// directions that are waited for count.
func (p *Pollable) Wait(interest Interest) (Interest, error) {
	if err := p.begin("wait"); err != nil {
		return 0, err
	}
	for {
		if res, err := p.await("wait", interest); err != nil || res != 0 {
			return Interest(res), err
		}
	}
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (p *Pollable) SetDeadline(t time.Time) error { return p.setDeadlines(t, true, true) }

// SetReadDeadline makes Read, and Wait for Readable or Urgent, fail with
// os.ErrDeadlineExceeded from t on; the zero time is none.
func (p *Pollable) SetReadDeadline(t time.Time) error { return p.setDeadlines(t, true, false) }

// SetWriteDeadline makes Write, and Wait for Writable, fail with os.ErrDeadlineExceeded
// from t on; the zero time is none.
func (p *Pollable) SetWriteDeadline(t time.Time) error { return p.setDeadlines(t, false, true) }

func (p *Pollable) setDeadlines(t time.Time, in, out bool) error {
	if !p.l.IsCurrent() {
		return p.fail("set", stranger(p.l))
	}
	if err := p.core.SetDeadline(t, in, out); err != nil {
		return p.fail("set", err)
	}
	for _, w := range p.waits {
		w.limited()
	}
	return nil
}

// Close closes the duplicate. It parks until the operations in flight have ended;
// callers that wait get net.ErrClosed. Closing again does nothing.
func (p *Pollable) Close() error {
	if p.l != nil && !p.l.Ended() && !p.l.IsCurrent() { // a loop that has ended has closed what was open on it
		return p.fail("close", stranger(p.l))
	}
	return p.core.Close()
}

func (p *Pollable) fail(name string, err error) error {
	if p.l == nil {
		return errZero
	}
	return &fs.PathError{Op: name, Path: p.name, Err: err}
}

// enter takes a turn in a direction.
func (p *Pollable) enter(name string, dir handle.Dir) (handle.Access, error) {
	if !p.l.IsCurrent() {
		return handle.Access{}, p.fail(name, stranger(p.l))
	}
	a, err := p.core.Enter(dir)
	if err != nil {
		return a, p.fail(name, err)
	}
	if !p.l.ChargeAndYield() {
		p.core.Leave(a)
		return a, p.fail(name, p.l.Cause())
	}
	return a, nil
}

// begin is what a call begins with that takes no turn.
func (p *Pollable) begin(name string) error {
	if !p.l.IsCurrent() {
		return p.fail(name, stranger(p.l))
	}
	err := p.core.Check()
	if err == nil && !p.l.ChargeAndYield() {
		err = p.l.Cause()
	}
	if err != nil {
		return p.fail(name, err)
	}
	return nil
}

// state is why a wait must not begin, or has ended.
func (p *Pollable) state(name string, limit int64) error {
	switch {
	case p.core.Closing():
		return p.fail(name, net.ErrClosed)
	case limit != 0 && p.l.NowNS() >= limit:
		return p.fail(name, os.ErrDeadlineExceeded)
	case p.l.Canceled():
		return p.fail(name, p.l.Cause())
	}
	return nil
}
