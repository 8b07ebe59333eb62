package sock

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Interest is a set of events that a descriptor can be ready for.
type Interest uint32

// The events to wait for. The last three are always reported.
const (
	Readable Interest = 0x1    // POLLIN: a read would not wait
	Urgent   Interest = 0x2    // POLLPRI: an exceptional condition, see poll(2)
	Writable Interest = 0x4    // POLLOUT: there is room to write
	Failed   Interest = 0x8    // POLLERR: an error; for the write end of a pipe, no reader
	HungUp   Interest = 0x10   // POLLHUP: the other end is gone
	PeerDone Interest = 0x2000 // POLLRDHUP: a socket's peer has shut down its writing side
)

// A Pollable is a descriptor that can be polled and is not one of this package's sockets: an eventfd, timerfd, pidfd,
// signalfd or inotify, a pipe, FIFO or terminal, a tun device, a socket of another family, such as AF_NETLINK or
// AF_PACKET. It belongs to one loop, which closes it at its end. Any goroutine and any task may call its methods,
// several at once too; a task parks. The Pollable's loop watches the descriptor while they wait.
//
// Other processes may share the open file, such as a terminal, so its mode is not changed: O_NONBLOCK is never set. In
// blocking mode each call asks not to wait (RWF_NOWAIT). For files without support for this, such as FIFOs and
// terminals, a call is made once the descriptor is ready, on a thread of its own: if another process takes the data
// first, only that caller waits, for the next data, and can't be cancelled until then.
type Pollable struct {
	l    *loop.Loop
	core handle.Core
	own  handle.Own
	name string

	always bool // always ready, as /dev/null is
}

// Poll makes a Pollable from a file, or anything else that has a descriptor; for a bare descriptor use os.NewFile. It
// works on a close-on-exec duplicate, so the caller still has to close the file. Other readers of the file compete for
// its bytes. Poll fails for files on a disk, which are always ready: their calls wait for the disk, and belong in
// ringo.Loop.Offload. Files of /proc and /sys that the kernel can poll, as /proc/pressure/memory, are none of these:
// Wait for Urgent tells of their changes. Any goroutine may call it; callers other than tasks of l wait for the loop.
func Poll(l *ringo.Loop, f syscall.Conn) (*Pollable, error) {
	p := &Pollable{l: (*loop.Loop)(l), name: "fd"}
	if file, ok := f.(*os.File); f == nil || ok && file == nil {
		return nil, &fs.PathError{Op: "poll", Path: p.name, Err: os.ErrInvalid}
	}
	if named, ok := f.(interface{ Name() string }); ok {
		p.name = named.Name()
	}
	disk := false
	if has, ok := f.(interface{ Stat() (fs.FileInfo, error) }); ok {
		info, err := has.Stat()
		disk = err == nil && onDisk(info.Mode())
	}
	raw, err := f.SyscallConn()
	switch {
	case l == nil:
		return nil, &fs.PathError{Op: "poll", Path: p.name, Err: errNoLoop}
	case err == nil:
		err = onOwner(p.l, func() error { return p.open(raw, disk) })
	}
	if err != nil {
		return nil, p.fail("poll", err)
	}
	return p, nil
}

// open makes p the handle of a duplicate, in a task of its loop. disk says that f has the mode of a file on a disk.
func (p *Pollable) open(f syscall.RawConn, disk bool) error {
	n := int32(-1)
	err := f.Control(func(number uintptr) { n = p.duplicate(int32(number)) })
	passage := p.l.World().Passage()
	switch {
	case err != nil:
		return err
	case n < 0 && disk:
		return errOnDisk
	case n == -sys.EBADF && passage != nil:
		return passage
	case n == -sys.EBADF && !sys.HaveNetpoll: // a file of package os, for example, whose numbers are not descriptors
		return posix.ErrSystem
	case n < 0:
		return callError("fcntl", n)
	}
	p.always = p.l.Kernel().Polls(n) == 0
	err = p.l.Unwatchable(n)
	if p.always && disk {
		err = errOnDisk
	}
	if err != nil {
		p.l.Kernel().Close(n)
		return err
	}
	p.core.Init(p.l, pollableHooks{p: p}, loop.KindPollable, n, &p.own)
	return nil
}

// duplicate returns another descriptor for n, which is the system's, or the simulated world's if the loop is in one.
func (p *Pollable) duplicate(n int32) int32 {
	if p.l.World().Passage() != nil {
		return p.l.Kernel().Dup(n)
	}
	return duplicate(n)
}

// errOnDisk is why a file on a disk can't be polled.
var errOnDisk = errors.New("a file on a disk is always ready, and its calls wait for the disk: make them in " +
	"Loop.Offload")

// errAlways is why there is nothing to wait for.
var errAlways = errors.New("it is always ready: of this device there is no event but Readable and Writable")

// onDisk reports whether files of this mode are on a disk, unless the kernel can poll them: it makes its own so, and
// has some without a type, which Go takes for regular ones.
func onDisk(mode fs.FileMode) bool {
	return mode.IsRegular() || mode.IsDir() || mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
}

// Loop returns the loop that the Pollable belongs to.
func (p *Pollable) Loop() *ringo.Loop { return (*ringo.Loop)(p.l) }

// Read reads once into b, and waits until there is something to read. The kernel may use b until Read returns. io.EOF
// is returned bare; any other error is an *fs.PathError. Several readers take turns. What a read returns, and how large
// b must be, depends on the file: see eventfd(2), timerfd_create(2), inotify(7). A task parks.
func (p *Pollable) Read(b []byte) (int, error) {
	a, err := p.enter(handle.In)
	if err != nil {
		return 0, p.fail("read", err)
	}
	defer p.core.Leave(a)
	res, err := p.transfer(a, op.Read, b)
	switch {
	case err != nil:
		return 0, p.fail("read", err)
	case res == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return int(res), nil
}

// Write writes all of b, or fails with the count of bytes written, and waits while there is no room. The kernel may use
// b until Write returns. Several writers take turns. A task parks.
func (p *Pollable) Write(b []byte) (n int, err error) {
	a, err := p.enter(handle.Out)
	if err != nil {
		return 0, p.fail("write", err)
	}
	defer p.core.Leave(a)
	for {
		res, err := p.transfer(a, op.Write, b[n:])
		if err == nil && res == 0 && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, p.fail("write", err)
		}
		if n += int(res); n == len(b) {
			return n, nil
		}
	}
}

// Wait waits until the descriptor is ready for any event in interest, or has hung up or failed, and returns the events.
// It reads nothing, so the next Wait returns the same unless some reader does. It does not queue behind other callers.
// The deadlines of the directions in interest apply, and to an interest without Writable the read deadline. A task
// parks. What is always ready, as /dev/null is, has no events but Readable and Writable: without these Wait fails.
func (p *Pollable) Wait(interest Interest) (Interest, error) {
	err := loop.ChargeAndYield()
	switch {
	case err != nil:
	case p.always && interest&(Readable|Writable) == 0:
		err = errAlways
	default:
		var ready int32
		if ready, err = p.core.Ready(uint16(interest)); err == nil {
			return Interest(ready), nil
		}
	}
	return 0, p.fail("wait", err)
}

// SetDeadline sets both the read and the write deadline.
func (p *Pollable) SetDeadline(t time.Time) error { return p.setDeadlines(t, true, true) }

// SetReadDeadline makes Read, and Wait for an interest with Readable or Urgent, or without Writable, fail with
// os.ErrDeadlineExceeded from t on; the zero time means no deadline. It also applies to calls that are waiting.
func (p *Pollable) SetReadDeadline(t time.Time) error { return p.setDeadlines(t, true, false) }

// SetWriteDeadline makes Write, and Wait for Writable, fail with os.ErrDeadlineExceeded from t on; the zero time means
// no deadline. It also applies to calls that are waiting.
func (p *Pollable) SetWriteDeadline(t time.Time) error { return p.setDeadlines(t, false, true) }

func (p *Pollable) setDeadlines(t time.Time, in, out bool) error {
	if err := p.core.SetDeadline(t, in, out); err != nil {
		return p.fail("set", err)
	}
	return nil
}

// Close closes the duplicate. Calls in flight return net.ErrClosed; Close waits until they have released the
// descriptor. A task parks, even if it is cancelled. Closing again waits for the first Close and returns net.ErrClosed.
// Any goroutine may call it.
func (p *Pollable) Close() error {
	if err := p.core.Close(); err != nil {
		return p.fail("close", err)
	}
	return nil
}

func (p *Pollable) fail(name string, err error) error {
	if p.l == nil {
		return errZero
	}
	return &fs.PathError{Op: name, Path: p.name, Err: err}
}

// enter waits for access to a direction.
func (p *Pollable) enter(dir handle.Dir) (handle.Access, error) {
	a, err := p.core.Enter(dir)
	if err == nil {
		if err = loop.ChargeAndYield(); err != nil {
			p.core.Leave(a)
		}
	}
	return a, err
}
