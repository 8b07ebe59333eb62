package file

import (
	"os"
	"syscall"

	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// NewFile makes a File of an open descriptor, which is the File's from now on; name is
// for errors. It gives nil for what is no open descriptor, as os.NewFile does.
func NewFile(fd uintptr, name string) *File {
	c := newCall(op.Fcntl, int32(fd))
	defer c.free()
	c.op.Arg = sys.FGetfl
	flags, err := c.plain()
	if err != nil {
		return nil
	}
	return newFile(int32(fd), name, int(flags))
}

// Adopt makes a File of one of package os, which it closes: the descriptor is another,
// the open file with its position and locks is the same.
func Adopt(g *os.File) (*File, error) {
	raw, err := g.SyscallConn()
	if err != nil {
		return nil, err
	}
	var f *File
	var dupErr error
	if err := raw.Control(func(n uintptr) {
		var dup int32
		if dup, dupErr = duplicate(int32(n)); dupErr == nil {
			f = NewFile(uintptr(dup), g.Name())
		}
	}); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, &os.PathError{Op: "adopt", Path: g.Name(), Err: dupErr}
	}
	g.Close() // it has given all that it had
	return f, nil
}

// Fd is the descriptor, which stays the File's, or -1 as an unsigned number after Close.
// The File must be kept open while it is used: SyscallConn sees to that.
func (f *File) Fd() uintptr {
	if f.unmade() || !f.hold.take() {
		return ^uintptr(0)
	}
	defer f.hold.give()
	return uintptr(f.n)
}

// SyscallConn gives the descriptor to functions, while the file is kept open. What
// they call may hold up the loop of a task.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if err := f.begin("SyscallConn"); err != nil {
		return nil, err
	}
	f.hold.give()
	return (*rawFile)(f), nil
}

// rawFile is a File as a syscall.RawConn.
type rawFile File

// Control calls fn with the descriptor.
func (r *rawFile) Control(fn func(fd uintptr)) error {
	f := (*File)(r)
	if err := f.begin("control"); err != nil {
		return err
	}
	defer f.hold.give()
	fn(uintptr(f.n))
	return nil
}

// Read calls fn until it reports true, and in between waits until there is something to
// read.
func (r *rawFile) Read(fn func(fd uintptr) bool) error {
	return (*File)(r).rawWait("read", op.Table[op.Read].Interest, fn, syscall.RawConn.Read)
}

// Write calls fn until it reports true, and in between waits until there is room.
func (r *rawFile) Write(fn func(fd uintptr) bool) error {
	return (*File)(r).rawWait("write", op.Table[op.Write].Interest, fn, syscall.RawConn.Write)
}

func (f *File) rawWait(name string, interest uint32, fn func(fd uintptr) bool,
	guest func(syscall.RawConn, func(uintptr) bool) error) error {
	if err := f.begin(name); err != nil {
		return err
	}
	defer f.hold.give()
	l, _ := loop.Current()
	switch {
	case !f.polls():
		for !fn(uintptr(f.n)) {
			// It is always ready.
			if err := loop.GiveWay(); err != nil {
				return f.fail(name, err)
			}
		}
		return nil
	case l == nil:
		raw, err := f.wait.guest.SyscallConn()
		if err == nil {
			err = guest(raw, fn)
		}
		return f.evicted(name, err)
	}
	for !fn(uintptr(f.n)) {
		if err := f.wait.park(l, f.n, interest); err != nil {
			return f.fail(name, err)
		}
	}
	return nil
}
