package file

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// readiness is the part of a File that is not on a disk: a FIFO, a terminal, a device. If the kernel reports its
// readiness, no thread blocks in a call. It is a handle like others, but without an owner, since Files belong to no
// loop: goroutines wait in Go's netpoller, and tasks by a poll of their loop.
//
// A call has its direction for itself, from its first byte to its last, in the order of arrival. So writes of several
// callers at once are not mixed, as with package os.
type readiness struct {
	core handle.Core
	file *os.File // owns the descriptor
}

// watch makes f's calls wait for readiness, if its descriptor can be polled.
func (f *File) watch() {
	if f.setNonblock(true) != nil {
		return
	}
	if f.home != nil {
		f.readiness = new(readiness)
		f.readiness.core.InitStaged(f.home, f.n)
		f.know(special | pollable)
		return
	}
	if !sys.HaveNetpoll { // calls block in the system, and Close does not end them
		f.know(special)
		f.setNonblock(f.flag&sys.ONonblock != 0)
		return
	}
	f.readiness = &readiness{file: os.NewFile(uintptr(f.n), f.name)}
	f.dropped.Stop() // the os.File has a cleanup of its own
	f.know(special)
	if f.readiness.file.SetDeadline(time.Time{}) == nil && f.readiness.core.InitUnowned(f.readiness.file, f.n) == nil {
		f.know(pollable)
	} else { // it can't be polled because it is always ready, as /dev/null is
		f.setNonblock(f.flag&sys.ONonblock != 0)
	}
}

// setNonblock sets or clears O_NONBLOCK of the open file.
func (f *File) setNonblock(on bool) error {
	k := loop.Kernel()
	flags := k.Getfl(f.n)
	if flags < 0 {
		return posix.Of(flags)
	}
	if flags &^= sys.ONonblock; on {
		flags |= sys.ONonblock
	}
	_, err := result(k.Setfl(f.n, flags))
	return err
}

// pollable reports whether calls wait for readiness.
func (f *File) pollable() bool { return facts(f.known.Load())&pollable != 0 }

// endWaits ends the waits for readiness, because the file is being closed.
func (f *File) endWaits() {
	if f.pollable() {
		f.readiness.core.EndWaits()
	}
}

// readReady reads what there is, and waits until there is something.
func (f *File) readReady(p []byte) (int, error) {
	a, err := f.readiness.core.Enter(handle.In)
	if err != nil {
		return 0, f.failReady("read", err)
	}
	defer f.readiness.core.Leave(a)
	n, err := transferReady(a, op.ReadAt, p)
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, f.failReady("read", err)
}

// writeReady writes all of p, and waits while there is no room.
func (f *File) writeReady(p []byte) (n int, err error) {
	a, err := f.readiness.core.Enter(handle.Out)
	if err != nil {
		return 0, f.failReady("write", err)
	}
	defer f.readiness.core.Leave(a)
	for {
		m, err := transferReady(a, op.WriteAt, p[n:])
		if n += m; err != nil || n == len(p) {
			return n, f.failReady("write", err)
		}
	}
}

// transferReady reads or writes once, and waits until that is possible.
func transferReady(a handle.Access, code op.Code, p []byte) (int, error) {
	if err := loop.ChargeAndYield(); err != nil {
		return 0, err
	}
	o := a.Op()
	o.Code, o.Buf, o.Off = code, p[:min(len(p), turnMax)], -1
	res, err := a.Do()
	if err == nil {
		res, err = result(res)
	}
	return int(res), err
}

// rawWait calls fn until it returns true, and waits by wait between the calls.
func (f *File) rawWait(name string, fn func(fd uintptr) bool,
	wait func(*handle.RawConn, func(uintptr) bool) error) error {
	if err := f.begin(name); err != nil {
		return err
	}
	defer f.refs.release()
	if f.pollable() {
		fail := func(_ string, err error) error { return f.failReady(name, err) }
		return wait(&handle.RawConn{Core: &f.readiness.core, Fail: fail}, fn)
	}
	for !fn(uintptr(f.n)) {
		// The file is always ready.
		if f.refs.closing() {
			return f.fail(name, os.ErrClosed)
		}
		if err := loop.ChargeAndYield(); err != nil {
			return f.fail(name, err)
		}
	}
	return nil
}

// failReady is fail for the error of a pollable file, which may be that of a closed handle.
func (f *File) failReady(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed):
		err = os.ErrClosed
	}
	return f.fail(name, err)
}
