package file

import (
	"os"
	"syscall"

	"ringo/internal/handle"
	"ringo/internal/loop"
)

// NewFile makes a File of an open descriptor, which is the File's from now on; name is
// for errors. What is waited for by readiness, as a pipe or an eventfd, is set to non-blocking for all who share the
// open file. It returns nil for what is no open descriptor, as os.NewFile does.
func NewFile(fd uintptr, name string) *File {
	flags := loop.Kernel().Getfl(int32(fd))
	if flags < 0 {
		return nil
	}
	return newFile(int32(fd), name, int(flags))
}

// Adopt makes a File of one of package os, which it closes: the descriptor is another,
// the open file with its position and locks is the same.
func Adopt(g *os.File) (*File, error) {
	if loop.World() != nil {
		return nil, &os.PathError{Op: "adopt", Path: g.Name(), Err: errWorld}
	}
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
	if f.isZero() || !f.refs.acquire() {
		return ^uintptr(0)
	}
	defer f.refs.release()
	return uintptr(f.n)
}

// SyscallConn passes the descriptor to functions, while the file is kept open. What
// they call may hold up the loop of a task.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if err := f.begin("SyscallConn"); err != nil {
		return nil, err
	}
	f.refs.release()
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
	defer f.refs.release()
	fn(uintptr(f.n))
	return nil
}

// Read calls fn until it returns true, and in between waits until there is something to
// read. Other reads wait until it has returned, so fn must not read by the File. A file on a
// disk has something at any time: fn is called again at once, until Close.
func (r *rawFile) Read(fn func(fd uintptr) bool) error {
	return (*File)(r).rawWait("read", fn, (*handle.RawConn).Read)
}

// Write calls fn until it returns true, and in between waits until there is room. Other
// writes wait until it has returned, so fn must not write by the File.
func (r *rawFile) Write(fn func(fd uintptr) bool) error {
	return (*File)(r).rawWait("write", fn, (*handle.RawConn).Write)
}

// duplicate makes another number for the open file.
func duplicate(n int32) (int32, error) { return result(loop.Kernel().Dup(n)) }
