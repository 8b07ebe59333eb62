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
	"ringo/internal/fd"
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
	l      *loop.Loop
	fd     fd.FD
	name   string
	handle loop.Handle

	in, out pollSide
	waits   []*pollWait
	closing bool
	closed  bool
	closers loop.TaskList
}

// pollSide is a direction.
type pollSide struct {
	lock     turnstile
	deadline int64 // of NowNS; 0: none
}

// Poll makes a Pollable of a file, or of anything else that has a descriptor; a mere
// one is a file by os.NewFile. It works on a duplicate, close-on-exec, so that the file
// stays the caller's to close; who goes on reading it takes its bytes. Files that
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
	case !p.l.Here():
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
	err = raw.Control(func(number uintptr) {
		o := call(p.l, op.Dup)
		o.FD = &p.fd
		p.fd.Init(int32(number))
		n, _ = p.l.Try(o)
	})
	if err == nil && n < 0 {
		err = callError("fcntl", n)
	}
	if err != nil {
		return nil, p.fail("poll", err)
	}
	p.fd.Init(n)
	if err := p.l.Unwatchable(n); err != nil {
		closeFD(p.l, &p.fd)
		return nil, p.fail("poll", err)
	}
	p.l.Register(&p.handle, (*pollHandle)(p))
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
// Several readers take turns. What a read gives, and how large b must be, depends on the
// file: see eventfd(2), timerfd_create(2), inotify(7).
func (p *Pollable) Read(b []byte) (int, error) {
	if err := p.begin("read", &p.in); err != nil {
		return 0, err
	}
	defer p.in.lock.leave(p.l)
	res, err := p.transfer("read", op.Read, &p.in, b)
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
	if err := p.begin("write", &p.out); err != nil {
		return 0, err
	}
	defer p.out.lock.leave(p.l)
	for {
		res, err := p.transfer("write", op.Write, &p.out, b[n:])
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
	if err := p.check("wait"); err != nil {
		return 0, err
	}
	if !p.l.Burst() {
		return 0, p.fail("wait", p.l.Cause())
	}
	for {
		if res, err := p.await("wait", interest); err != nil || res != 0 {
			return Interest(res), err
		}
	}
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (p *Pollable) SetDeadline(t time.Time) error { return p.setDeadlines(t, &p.in, &p.out) }

// SetReadDeadline makes Read, and Wait for Readable or Urgent, fail with
// os.ErrDeadlineExceeded from t on; the zero time is none.
func (p *Pollable) SetReadDeadline(t time.Time) error { return p.setDeadlines(t, &p.in) }

// SetWriteDeadline makes Write, and Wait for Writable, fail with os.ErrDeadlineExceeded
// from t on; the zero time is none.
func (p *Pollable) SetWriteDeadline(t time.Time) error { return p.setDeadlines(t, &p.out) }

func (p *Pollable) setDeadlines(t time.Time, sides ...*pollSide) error {
	if err := p.check("set"); err != nil {
		return err
	}
	limit := deadlineOf(p.l, t)
	for _, s := range sides {
		s.deadline = limit
	}
	for _, w := range p.waits {
		w.limited()
	}
	return nil
}

// Close closes the duplicate. It parks until the operations in flight have ended; who
// waits gets net.ErrClosed. Closing again does nothing.
func (p *Pollable) Close() error {
	if p.l == nil {
		return errZero
	}
	if p.l.Ended() {
		return nil // it has closed what was open on it
	}
	if !p.l.Here() {
		return p.fail("close", stranger(p.l))
	}
	p.beginClose()
	if !p.closed {
		p.closers.Push(p.l.Task())
		p.l.Park(nil)
	}
	return nil
}

func (p *Pollable) fail(name string, err error) error {
	if p.l == nil {
		return errZero
	}
	return &fs.PathError{Op: name, Path: p.name, Err: err}
}

// check is what each method begins with.
func (p *Pollable) check(name string) error {
	if !p.l.Here() {
		return p.fail(name, stranger(p.l))
	}
	if p.closing {
		p.l.Burst()
		return p.fail(name, net.ErrClosed)
	}
	return nil
}

// begin takes a turn in a direction.
func (p *Pollable) begin(name string, s *pollSide) error {
	if err := p.check(name); err != nil {
		return err
	}
	if !s.lock.enter(p.l) {
		return p.fail(name, p.l.Cause())
	}
	if !p.l.Burst() {
		s.lock.leave(p.l)
		return p.fail(name, p.l.Cause())
	}
	return nil
}

// state is why a wait must not begin, or has ended.
func (p *Pollable) state(name string, limit int64) error {
	switch {
	case p.closing:
		return p.fail(name, net.ErrClosed)
	case limit != 0 && p.l.NowNS() >= limit:
		return p.fail(name, os.ErrDeadlineExceeded)
	case p.l.Canceled():
		return p.fail(name, p.l.Cause())
	}
	return nil
}
