//go:build windows

package sys

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// This package has descriptors of its own, because Windows has none: it has handles, which are not small numbers, of
// two kinds that different calls take. A descriptor, and its duplicates, stand for an open file or socket; the handle
// is closed when the last of them is closed and the last call that uses it has ended.

// open is what a descriptor stands for.
type open struct {
	// refs counts the descriptors that stand for it and the calls that use it. At zero it is closed.
	refs   atomic.Int32
	handle windows.Handle
	kind   kind
	flags  atomic.Uint32 // the O_ flags that fcntl(2) returns
	socket *socket       // of sockets
	mem    *end          // of things that have both ends in the process
	file   *file         // of things that have a name
}

// kind says which calls a handle takes.
type kind uint8

const (
	isSocket kind = iota
	isFile
	isFolder
	isPipe    // Windows' own pipes can't be waited for, but only looked at again and again
	isConsole // a terminal, or a device
)

// filesMax bounds the descriptors of a process, as RLIMIT_NOFILE does on other systems. Windows has no such limit.
const filesMax = 1 << 18

// firstNumber leaves out the numbers of the streams that a program is started with.
const firstNumber = 3

// handleStep divides all handles of Windows, and no descriptor of this package: code that passes a handle for a
// descriptor gets EBADF. There is no such guard the other way round, because Windows ignores a handle's two lowest
// bits: code that closes a descriptor as a handle closes another's.
const handleStep = 4

const tableChunk = 1 << 9

// table holds the descriptors of the process. A look-up takes no lock.
var table tableOf

type tableOf struct {
	chunks [filesMax / tableChunk]atomic.Pointer[[tableChunk]atomic.Pointer[open]]

	sync.Mutex
	free []int32 // numbers below next that are free
	next int32
}

// number returns a descriptor for o, which counts as one of its references.
func number(o *open) int32 {
	fd := reserve()
	if fd >= 0 {
		place(fd).Store(o)
	}
	return fd
}

// reserve returns a free descriptor, which stands for nothing yet.
func reserve() int32 {
	table.Lock()
	defer table.Unlock()
	if n := len(table.free); n > 0 {
		fd := table.free[n-1]
		table.free = table.free[:n-1]
		return fd
	}
	fd := max(table.next, firstNumber)
	if fd%handleStep == 0 {
		fd++
	}
	if fd >= filesMax {
		return -EMFILE
	}
	table.reach(fd)
	return fd
}

// reach makes room for the numbers up to fd. L.
func (t *tableOf) reach(fd int32) {
	for n := t.next / tableChunk; n <= fd/tableChunk; n++ {
		if t.chunks[n].Load() == nil {
			t.chunks[n].Store(new([tableChunk]atomic.Pointer[open]))
		}
	}
	t.next = fd + 1
}

// unreserve frees a number of reserve.
func unreserve(fd int32) {
	table.Lock()
	defer table.Unlock()
	table.free = append(table.free, fd)
}

// place returns the table's place for fd; nil if fd can't be a descriptor.
func place(fd int32) *atomic.Pointer[open] {
	if uint32(fd) >= filesMax {
		return nil
	}
	if chunk := table.chunks[fd/tableChunk].Load(); chunk != nil {
		return &chunk[fd%tableChunk]
	}
	return nil
}

// use returns what fd stands for, for a call that is followed by done; nil if fd is not open.
func use(fd int32) *open {
	at := place(fd)
	if at == nil {
		return nil
	}
	o := at.Load()
	if o == nil {
		if uint32(fd) < firstNumber {
			return inherit(fd, at)
		}
		return nil
	}
	if !o.hold() { // closed meanwhile
		return nil
	}
	return o
}

// hold adds a reference; it returns false if o is closed.
func (o *open) hold() bool {
	for {
		n := o.refs.Load()
		if n == 0 {
			return false
		}
		if o.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// done drops the reference of a call or a descriptor.
func (o *open) done() int32 {
	if o.refs.Add(-1) > 0 {
		return 0
	}
	return o.free()
}

// free closes the handle.
func (o *open) free() int32 {
	if o.mem != nil {
		o.mem.close()
		return 0
	}
	if o.socket != nil {
		if o.socket.shares.Load() {
			o.unshare()
		}
		if o.socket.lingers.Load() { // a close that would have to wait fails otherwise
			setUnblocked(o.handle, false)
		}
		return failed(windows.Closesocket(o.handle))
	}
	return failed(windows.CloseHandle(o.handle))
}

// add returns a descriptor for something new; if there is none it closes the handle.
func add(o *open) int32 {
	o.refs.Store(1)
	fd := number(o)
	if fd < 0 {
		o.done()
	}
	return fd
}

// Close frees a descriptor, and closes what it stands for after the last. For a lingering socket it may wait.
func Close(fd int32) int32 {
	o := vacate(fd)
	if o == nil {
		return -EBADF
	}
	return o.done()
}

// vacate frees a descriptor, and returns what it stood for.
func vacate(fd int32) *open {
	at := place(fd)
	if at == nil {
		return nil
	}
	table.Lock()
	defer table.Unlock()
	o := at.Swap(nil)
	if o != nil && fd >= firstNumber {
		table.free = append(table.free, fd)
	}
	return o
}

// Dup returns another descriptor for the same thing.
func Dup(fd int32) int32 {
	o := use(fd) // this reference becomes that of the new descriptor
	if o == nil {
		return -EBADF
	}
	n := number(o)
	if n < 0 {
		o.done()
	}
	return n
}

// Move gives what fd stands for another number, as dup2(2) and close(2) do.
func Move(fd, to int32) int32 {
	if uint32(to) >= filesMax || to < firstNumber {
		return -EBADF
	}
	table.Lock()
	for n := max(table.next, firstNumber); n <= to; n++ {
		if table.reach(n); n != to && n%handleStep != 0 {
			table.free = append(table.free, n)
		}
	}
	for i, n := range table.free {
		if n == to {
			table.free = append(table.free[:i], table.free[i+1:]...)
			break
		}
	}
	table.Unlock()
	o := vacate(fd)
	if o == nil {
		return -EBADF
	}
	if old := place(to).Swap(o); old != nil {
		old.done()
	}
	return to
}

// Fcntl is fcntl(2) for the flags that are kept here. Programs that this one starts inherit no descriptor.
func Fcntl(fd int32, cmd, arg int) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	const changed = ONonblock | OAppend
	switch cmd {
	case FGetfd:
		return FDCloexec
	case FSetfd:
		return 0
	case FGetfl:
		return int32(o.flags.Load())
	case FSetfl:
		o.flags.Store(o.flags.Load()&^changed | uint32(arg)&changed)
		return 0
	}
	return -EINVAL
}

// StatusFlags is fcntl(2) F_GETFL.
func StatusFlags(fd int32) int32 { return Fcntl(fd, FGetfl, 0) }

// IsDirect reports whether fd bypasses the page cache.
func IsDirect(fd int32) bool { return false }

// Blocks reports whether calls on fd may wait.
func Blocks(fd int32) bool {
	flags := StatusFlags(fd)
	return flags >= 0 && flags&ONonblock == 0
}

// IsOpen reports whether fd is an open descriptor.
func IsOpen(fd int32) bool {
	o := use(fd)
	if o == nil {
		return false
	}
	o.done()
	return true
}

// FilesMax returns the bound of descriptors.
func FilesMax() uint64 { return filesMax }

// IsRegular reports whether fd is a file or a directory.
func IsRegular(fd int32) bool {
	o := use(fd)
	if o == nil {
		return false
	}
	defer o.done()
	return o.kind == isFile || o.kind == isFolder
}

// failed returns the result of a call that returns only an error.
func failed(err error) int32 {
	if err == nil {
		return 0
	}
	return resultOf(err)
}

// resultOf returns an error as a result.
func resultOf(err error) int32 {
	switch e := err.(type) {
	case windows.Errno:
		return posix.Result(e)
	case windows.NTStatus:
		return ofStatus(e)
	}
	return -EIO
}
