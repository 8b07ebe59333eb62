package file

import (
	"math"
	"os"
	"syscall"

	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// NewFile makes a File from an open descriptor, which the File then owns; name is for errors. Descriptors that can be
// polled, such as a pipe or an eventfd, are set to non-blocking mode, which all users of the open file share. It
// returns nil if fd is not an open descriptor, as os.NewFile does.
func NewFile(fd uintptr, name string) *File {
	if fd > math.MaxInt32 {
		return nil
	}
	flags := loop.Kernel().Getfl(int32(fd))
	if flags < 0 {
		return nil
	}
	return newFile(int32(fd), name, int(flags))
}

// Adopt turns a file of package os into a File, and closes the former: the descriptor is a new one, the open file with
// its position and locks is the same.
func Adopt(g *os.File) (*File, error) {
	if err := loop.Home().World().Passage(); err != nil {
		return nil, &os.PathError{Op: "adopt", Path: g.Name(), Err: err}
	}
	if !sys.HaveNetpoll { // a descriptor that package os has opened stays with Go's netpoller for good
		return nil, &os.PathError{Op: "adopt", Path: g.Name(), Err: posix.ErrSystem}
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
	g.Close() // its descriptor was duplicated, so a failed close loses nothing
	return f, nil
}

// Fd returns the descriptor, which the File still owns, or -1 as an unsigned number after Close. The File must stay
// open while the descriptor is used; SyscallConn ensures that. The descriptor and its duplicates share the file's
// position with the File; from the first Fd or SyscallConn on, a task's reads and writes at the position that have to
// wait therefore run on a worker thread. It waits while another caller uses the position; a task parks.
func (f *File) Fd() uintptr {
	if f.isZero() || !f.refs.acquire() {
		return ^uintptr(0)
	}
	defer f.refs.release()
	f.share()
	return uintptr(f.n)
}

// SyscallConn gives access to the descriptor, and keeps the file open meanwhile. In a task, system calls that wait stop
// the loop. For the file's position see Fd. It waits while another caller uses the position; a task parks.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if err := f.begin("SyscallConn"); err != nil {
		return nil, err
	}
	defer f.refs.release()
	f.share()
	return (*rawFile)(f), nil
}

// share records that the descriptor leaves the package: from now on others may move the position. It does not do so
// under a transfer that counts on the position, see moveFrom.
func (f *File) share() {
	if facts(f.known.Load())&(ours|pollable) != ours {
		return
	}
	f.position.Lock()
	f.known.And(^uint32(ours))
	f.position.Unlock()
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

// Read calls fn until it returns true, and waits in between until there is something to read. Other reads wait until
// Read has returned, so fn must not use the File's own reads. A file on a disk is always ready: fn is called again at
// once, until Close.
func (r *rawFile) Read(fn func(fd uintptr) bool) error {
	return (*File)(r).rawWait("read", fn, (*handle.RawConn).Read)
}

// Write calls fn until it returns true, and waits in between until there is room. Other writes wait until Write has
// returned, so fn must not use the File's own writes.
func (r *rawFile) Write(fn func(fd uintptr) bool) error {
	return (*File)(r).rawWait("write", fn, (*handle.RawConn).Write)
}

// duplicate makes another descriptor of the open file.
func duplicate(n int32) (int32, error) { return result(loop.Kernel().Dup(n)) }
