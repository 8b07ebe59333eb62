//go:build linux

package socktest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ringo/file"
)

// fileRow is a method of a File, or one way to call it.
type fileRow struct {
	method          string
	pipe, disk, dir bool // the kinds of file that have the method
	// One of these three is set. read reads, from at if the method takes an offset; write writes; ask does neither.
	read  func(f *file.File, p []byte, at int) (int, error)
	write func(f *file.File, p []byte, at int) (int, error)
	ask   func(f *file.File) error

	toEnd bool // read goes on until the end, or p is full
	maybe bool // the file system may not support it
	stays bool // it still answers after the file is closed
	once  bool // a task that calls it in a loop would hold its own loop
	ends  bool // it closes the file
}

// until is a writer into a slice that fails when the slice is full.
type until struct {
	p []byte
	n int
}

var errFull = errors.New("full")

func (u *until) Write(p []byte) (int, error) {
	n := copy(u.p[u.n:], p)
	if u.n += n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

var fileRows = []*fileRow{
	{method: "Read", pipe: true, disk: true, read: func(f *file.File, p []byte, _ int) (int, error) {
		return f.Read(p)
	}},
	{method: "ReadAt", disk: true, read: func(f *file.File, p []byte, at int) (int, error) {
		return f.ReadAt(p, int64(at))
	}},
	{method: "ReadVAt", disk: true, read: func(f *file.File, p []byte, at int) (int, error) {
		return f.ReadVAt([][]byte{p[:3], nil, p[3:]}, int64(at))
	}},
	{method: "ReadRanges", disk: true, read: func(f *file.File, p []byte, at int) (int, error) {
		rs := []file.ReadRange{{Off: int64(at) + 3, P: p[3:]}, {Off: int64(at), P: p[:3]}}
		err := f.ReadRanges(rs)
		first, behind := rs[1], rs[0]
		if first.N < len(first.P) { // the second range may have been read even so
			return first.N, cmp.Or(err, first.Err)
		}
		return first.N + behind.N, cmp.Or(err, behind.Err)
	}},
	{method: "ReadCached", disk: true, read: func(f *file.File, p []byte, at int) (int, error) {
		return f.ReadCached(p, int64(at))
	}},
	{method: "WriteTo", pipe: true, toEnd: true, read: func(f *file.File, p []byte, _ int) (int, error) {
		n, err := f.WriteTo(&until{p: p})
		return int(n), err
	}},
	{method: "SyscallConn/Read", pipe: true, read: func(f *file.File, p []byte, _ int) (n int, err error) {
		raw, err := f.SyscallConn()
		if err != nil {
			return 0, err
		}
		var res error
		err = raw.Read(func(fd uintptr) bool {
			n, res = unix.Read(int(fd), p)
			return res != unix.EAGAIN
		})
		return max(n, 0), errors.Join(err, whenRan(err, res))
	}},

	{method: "Write", pipe: true, disk: true, write: func(f *file.File, p []byte, _ int) (int, error) {
		return f.Write(p)
	}},
	{method: "WriteString", pipe: true, disk: true, write: func(f *file.File, p []byte, _ int) (int, error) {
		return f.WriteString(string(p))
	}},
	{method: "WriteAt", disk: true, write: func(f *file.File, p []byte, at int) (int, error) {
		return f.WriteAt(p, int64(at))
	}},
	{method: "WriteVAt", disk: true, write: func(f *file.File, p []byte, at int) (int, error) {
		return f.WriteVAt([][]byte{p[:1], nil, p[1:100], p[100:]}, int64(at))
	}},
	{method: "ReadFrom", pipe: true, disk: true, write: func(f *file.File, p []byte, _ int) (int, error) {
		n, err := f.ReadFrom(struct{ io.Reader }{bytes.NewReader(p)})
		return int(n), err
	}},

	{method: "ReadDir", dir: true, ask: allEntries(func(f *file.File) (int, error) {
		all, err := f.ReadDir(-1)
		for _, e := range all {
			if _, infoErr := e.Info(); infoErr != nil {
				return 0, infoErr
			}
		}
		return len(all), err
	})},
	{method: "ReadDir/steps", dir: true, ask: allEntries(func(f *file.File) (n int, err error) {
		for {
			some, err := f.ReadDir(3)
			switch n += len(some); {
			case err == io.EOF:
				return n, nil
			case err != nil:
				return n, err
			}
		}
	})},
	{method: "Readdir", dir: true, ask: allEntries(func(f *file.File) (int, error) {
		all, err := f.Readdir(0)
		return len(all), err
	})},
	{method: "Readdirnames", dir: true, ask: allEntries(func(f *file.File) (int, error) {
		all, err := f.Readdirnames(-1)
		return len(all), err
	})},
	{method: "Chdir", dir: true, ask: (*file.File).Chdir},

	{method: "SetDeadline", pipe: true, once: true, ask: func(f *file.File) error {
		return f.SetDeadline(time.Now().Add(time.Hour))
	}},
	{method: "SetReadDeadline", pipe: true, once: true, ask: func(f *file.File) error {
		return f.SetReadDeadline(time.Time{})
	}},
	{method: "SetWriteDeadline", pipe: true, once: true, ask: func(f *file.File) error {
		return f.SetWriteDeadline(time.Time{})
	}},
	{method: "SetDeadline/disk", disk: true, once: true, ask: func(f *file.File) error {
		if err := f.SetDeadline(time.Now()); err != os.ErrNoDeadline {
			return errors.Join(err, expect(err != nil, "SetDeadline of a file on a disk"))
		}
		return nil
	}},

	{method: "Advise", disk: true, ask: func(f *file.File) error { return f.Advise(file.AdviceRandom, 0, 0) }},
	{method: "Allocate", disk: true, maybe: true, ask: func(f *file.File) error { return f.Allocate(0, 0, 1<<16) }},
	{method: "Cached", disk: true, maybe: true, ask: func(f *file.File) error {
		_, err := f.Cached(0, 1<<16)
		return err
	}},
	{method: "Chmod", disk: true, ask: func(f *file.File) error { return f.Chmod(0o640) }},
	{method: "Chown", disk: true, ask: func(f *file.File) error { return f.Chown(-1, -1) }},
	{method: "Chtimes", disk: true, ask: func(f *file.File) error { return f.Chtimes(time.Now(), time.Now()) }},
	{method: "Datasync", disk: true, ask: (*file.File).Datasync},
	{method: "DirectAlign", disk: true, stays: true, once: true, ask: func(f *file.File) error {
		f.DirectAlign()
		return nil
	}},
	{method: "Fd", pipe: true, disk: true, stays: true, once: true, ask: func(f *file.File) error {
		f.Fd()
		return nil
	}},
	{method: "ListXattrs", disk: true, maybe: true, ask: func(f *file.File) error {
		_, err := f.ListXattrs()
		return err
	}},
	{method: "Lock", disk: true, ask: func(f *file.File) error {
		return f.Lock(context.Background(), file.Range{})
	}},
	{method: "Name", pipe: true, disk: true, stays: true, once: true, ask: func(f *file.File) error {
		f.Name()
		return nil
	}},
	{method: "RLock", disk: true, ask: func(f *file.File) error {
		return f.RLock(context.Background(), file.Range{})
	}},
	{method: "PunchHole", disk: true, maybe: true, ask: func(f *file.File) error { return f.PunchHole(0, 4096) }},
	{method: "RemoveXattr", disk: true, maybe: true, ask: func(f *file.File) error { return f.RemoveXattr("user.x") }},
	{method: "Seek", disk: true, ask: func(f *file.File) error { _, err := f.Seek(0, io.SeekEnd); return err }},
	{method: "SetXattr", disk: true, maybe: true, ask: func(f *file.File) error {
		return f.SetXattr("user.x", []byte("1"), 0)
	}},
	{method: "Stat", pipe: true, disk: true, ask: func(f *file.File) error { _, err := f.Stat(); return err }},
	{method: "Statfs", pipe: true, disk: true, ask: func(f *file.File) error { _, err := f.Statfs(); return err }},
	{method: "Sync", disk: true, ask: (*file.File).Sync},
	{method: "SyncRange", disk: true, ask: func(f *file.File) error { return f.SyncRange(0, 4096, 0) }},
	{method: "SyscallConn/Control", pipe: true, disk: true, once: true, ask: func(f *file.File) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(uintptr) {})
	}},
	{method: "Truncate", disk: true, ask: func(f *file.File) error { return f.Truncate(1 << 16) }},
	{method: "TryLock", disk: true, ask: func(f *file.File) error {
		_, err := f.TryLock(file.Range{})
		return err
	}},
	{method: "TryRLock", disk: true, ask: func(f *file.File) error {
		_, err := f.TryRLock(file.Range{})
		return err
	}},
	{method: "Unlock", disk: true, ask: func(f *file.File) error { return f.Unlock(file.Range{}) }},
	{method: "Xattr", disk: true, maybe: true, ask: func(f *file.File) error {
		_, err := f.Xattr("user.x")
		return err
	}},
	{method: "Close", pipe: true, disk: true, ends: true, ask: (*file.File).Close},
}

// entriesMax is how many entries the directory has that the rows read.
const entriesMax = 50

// allEntries reads a directory from its beginning by read, which returns how many entries it has read.
func allEntries(read func(f *file.File) (int, error)) func(f *file.File) error {
	return func(f *file.File) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		n, err := read(f)
		if err == nil && n != entriesMax {
			err = fmt.Errorf("%d entries of %d", n, entriesMax)
		}
		return err
	}
}

// fileEvent is what happens during a call.
type fileEvent struct {
	name    string
	tasks   bool          // it applies only to callers that are tasks
	limit   time.Duration // the limit of WithTimeout
	partial bool          // some bytes have been read, or written, before
	sleeps  bool          // the call begins only when the event is over
	closes  bool          // the file is closed
	ends    bool          // the loop ends; the file does not belong to it
	dead    bool          // because its driver died
	waits   bool          // what the call waits for does not come: a call that waits can't succeed
	late    bool          // a deadline passes, or may pass
	maybe   bool          // the call may succeed all the same

	before func(x *fileCell)
	act    func(x *fileCell, p *pending)
}

var fileEvents = []*fileEvent{
	{name: "plain", act: (*fileCell).provide},
	{name: "partial", partial: true, act: (*fileCell).provide},
	{name: "partial-cancel", tasks: true, partial: true, act: func(x *fileCell, p *pending) {
		x.someGoes()
		p.task.Cancel()
	}},
	{name: "cancel", tasks: true, waits: true, act: func(_ *fileCell, p *pending) { p.task.Cancel() }},
	{name: "canceled-before", tasks: true, sleeps: true, waits: true, act: func(_ *fileCell, p *pending) {
		p.task.Cancel()
	}},
	{name: "timeout", tasks: true, limit: 2 * time.Millisecond, waits: true},
	{name: "deadline-moved", late: true, waits: true, act: func(x *fileCell, _ *pending) { x.deadline(longAgo) }},
	{name: "deadline-past", late: true, waits: true, before: func(x *fileCell) { x.deadline(longAgo) }},
	{name: "deadline-ahead", late: true, waits: true, before: func(x *fileCell) { x.deadline(soon(x)) }},
	{name: "partial-deadline", late: true, partial: true, act: func(x *fileCell, _ *pending) {
		x.someGoes()
		x.deadline(longAgo)
	}},
	{name: "deadline-away", late: true, maybe: true, before: func(x *fileCell) {
		x.deadline(x.now().Add(5 * time.Millisecond))
	}, act: func(x *fileCell, p *pending) {
		x.deadline(time.Time{})
		x.pass(6 * time.Millisecond)
		x.provide(p)
	}},
	{name: "deadline-flickers", late: true, maybe: true, act: func(x *fileCell, p *pending) {
		for range 200 {
			x.deadline(longAgo)
			x.deadline(time.Time{})
		}
		x.provide(p)
	}},
	{name: "close", closes: true, waits: true, act: func(x *fileCell, _ *pending) { x.close() }},
	{name: "loop-end", ends: true, act: func(x *fileCell, p *pending) {
		x.must("Run", x.home.end())
		x.provideOthers(p)
	}},
	{name: "driver-death", ends: true, dead: true, act: func(x *fileCell, p *pending) {
		x.home.driver.Die(errDead)
		if err := x.home.wait(); !errors.Is(err, errDead) {
			x.fault("Run on a driver that died: %w", err)
		}
		x.provideOthers(p)
	}},
}

// want returns the error that the event makes the call fail with, or nil.
func (x *fileCell) want() error {
	switch ev := x.ev; {
	case ev.closes:
		return os.ErrClosed
	case ev.limit > 0, ev.late:
		return os.ErrDeadlineExceeded
	case ev.tasks, ev.ends && x.who.own:
		return context.Canceled
	}
	return nil
}
