package file

import (
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"ringo"
	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/mask"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A File is an open file, with os.File's methods and errors; the package documentation names the differences. It
// belongs to no loop: any goroutine and any task may call any method at any time, several at once too. The garbage
// collector closes a File that is dropped without Close. Methods of the zero File return fs.ErrInvalid.
type File struct {
	name      string
	n         int32 // the descriptor
	size      int64 // when it was opened
	flag      int   // that it was opened with
	refs      refs
	known     atomic.Uint32 // facts
	mount     *mount
	hits      atomic.Uint32 // reads in a row that found their bytes in memory, see warm
	pages     driver.Incore // of overlaid files, for tasks
	readiness *readiness    // nil for files on a disk
	home      *loop.Loop    // the loop of the simulated world that the file is in; nil: in none

	dropped  runtime.Cleanup
	position ringo.Mutex // held by calls that read, write or seek at it
	entries  *entries    // of a directory, guarded by position
}

var _ interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	io.StringWriter
	io.ReaderFrom
	io.WriterTo
	io.Closer
	syscall.Conn
} = (*File)(nil)

// Open opens a file for reading, as os.Open does. The caller has to close it. It may wait; a task parks.
func Open(name string) (*File, error) { return OpenFile(name, os.O_RDONLY, 0) }

// Create makes a file, or empties an existing one, for reading and writing, as os.Create does. It may wait; a task
// parks.
func Create(name string) (*File, error) {
	return OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file with os's flags, and Direct, as os.OpenFile does. perm is the mode of a new file, before the
// umask. It may wait; a task parks. Opening a FIFO waits for the other end without delaying other calls; cancelling the
// task ends the wait. Once no task waits at that end any more, the other end is opened for a moment, so that no idle
// reader or writer is left; opens by goroutines and other processes that wait at that end then return, too.
func OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	n, err := openAt(noFD, name, flag, modeBits(perm), 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := newFile(n, name, flag)
	f.know(ours)
	return f, nil
}

// newFile makes a File of an open descriptor, which is from now on the File's.
func newFile(n int32, name string, flag int) *File {
	f := &File{name: name, n: n, flag: flag}
	known := masked()
	if flag&sys.OAppend != 0 {
		known |= appendOnly
	}
	if f.home = loop.Home(); f.home != nil { // every call becomes an op
		known |= noNowRead | noNowWrite | typeKnown
	}
	f.dropped = runtime.AddCleanup(f, whenDropped(), n)
	f.known.Store(uint32(known))
	st := new(sys.Statx)
	// AtStatxDontSync keeps network file systems from asking their servers. StatxMount asks for the mount's unique
	// number, which is never used again (Linux 6.8).
	const mask = sys.StatxAll&^sys.StatxMntID | sys.StatxMount
	if loop.Kernel().Statx(n, nil, sys.AtEmptyPath|sys.AtStatxDontSync, mask, st) < 0 {
		f.mount = new(mount)
		f.entries = newEntries(n, name) // it may be a directory
		return f
	}
	if f.home != nil {
		f.mount = new(mount)
	} else {
		f.mount = mountOf(st)
	}
	known |= facts(f.mount.known.Load())
	mode := st.Mode & sys.SIfmt
	if st.DevMajor != 0 || mode == sys.SIfblk { // a disk holds it, as /dev's file system does not
		known = known&^inMemory | typeKnown
	}
	if flag&Direct != 0 {
		known |= bypassCache
	}
	f.known.Store(uint32(known))
	f.size = int64(st.Size)
	switch mode {
	case sys.SIfifo, sys.SIfchr, sys.SIfsock, noType:
		f.watch()
	case sys.SIfdir:
		f.entries = newEntries(n, name)
	}
	return f
}

// noType is the type of what was never a file: an eventfd, a timerfd, inotify and the like.
const noType = 0

// whenDropped returns the function that is called with the descriptor of a File that was dropped without Close. In a
// simulated world the descriptor stays open, so that a test sees the leak.
func whenDropped() func(n int32) {
	if loop.Home() != nil {
		return func(int32) {}
	}
	return closeDropped
}

// closeDropped closes the descriptor of a File that was dropped without Close, as package os does.
func closeDropped(n int32) { closeNumber(n) }

// masked returns the facts that RINGO_MASK sets for all files.
var masked = sync.OnceValue(func() facts {
	if m, _ := mask.Env(); m != nil && slices.Contains(m.Names(), "rwf_nowait") {
		return noNowRead | noNowWrite
	}
	return 0
})

// Name returns the name that the file was opened with.
func (f *File) Name() string { return f.name }

// Close closes the file. It waits for the calls in flight, even in a cancelled task; later calls, including a second
// Close, return fs.ErrClosed. Calls that wait for a pipe, FIFO or terminal return fs.ErrClosed at once.
func (f *File) Close() error {
	if f.isZero() {
		return os.ErrInvalid
	}
	if err := stranger(f.home); err != nil {
		return f.fail("close", err)
	}
	if !f.refs.close(f.endWaits) {
		return f.fail("close", os.ErrClosed)
	}
	f.dropped.Stop()
	f.pages.Close()
	if f.entries != nil {
		f.entries.drop()
	}
	if f.readiness != nil && f.readiness.file != nil {
		return f.readiness.file.Close() // it owns the descriptor
	}
	res := int32(0)
	if f.flag&sys.OAccmode == os.O_RDONLY { // opened for reading only: nothing has to be written first
		res = closeNumber(f.n)
	} else {
		res = f.closeWritten()
	}
	if res < 0 {
		return f.fail("close", posix.Of(res))
	}
	return nil
}

func (f *File) closeWritten() (res int32) {
	defer shield()()
	closed := false
	do(func(k kernel.Kernel) int32 {
		closed = true
		res = k.Close(f.n)
		return res
	})
	if !closed { // the loop's driver has ended, so the call was not made
		res = closeNumber(f.n)
	}
	return res
}
