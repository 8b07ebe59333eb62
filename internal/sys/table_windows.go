//go:build windows

package sys

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// Descriptors are numbers of this package's, for Windows has none: what it has are handles, which are no small numbers,
// of two kinds that different calls take. A number stands for an open file, or an open socket, and so do its
// duplicates; the handle is closed when the last of them is, and the last call that uses it has ended.

// open is what a descriptor stands for.
type open struct {
	// refs counts the numbers that stand for it and the calls that use it. At zero it is closed for good.
	refs   atomic.Int32
	handle windows.Handle
	kind   kind
	flags  atomic.Uint32 // the O_ flags that fcntl(2) tells
	socket *socket       // of sockets
	mem    *end          // of what has both its ends in the process
	file   *file         // of what has a name
}

// kind says which calls take it.
type kind uint8

const (
	isSocket kind = iota
	isFile
	isFolder
	isPipe    // of Windows' pipes can't be waited for, but only looked at again and again
	isConsole // a terminal, or a device
)

// filesMax bounds the descriptors of a process, as a table of processes does elsewhere. Windows has no such limit.
const filesMax = 1 << 18

// firstNumber leaves out those that mean the streams that a program is started with.
const firstNumber = 3

// handleStep divides all handles of Windows', and no number of this package's: whoever gives a handle for a number gets
// EBADF. The other way round there is no such guard, since Windows takes no notice of a handle's two lowest bits: what
// closes a number as if it were a handle closes another's.
const handleStep = 4

const tableChunk = 1 << 9

// table is the descriptors of the process. Finding one takes no lock.
var table tableOf

type tableOf struct {
	chunks [filesMax / tableChunk]atomic.Pointer[[tableChunk]atomic.Pointer[open]]

	sync.Mutex
	free []int32 // numbers below next that stand for nothing
	next int32
}

// number finds a number for o, which counts as one of its references.
func number(o *open) int32 {
	fd := reserve()
	if fd >= 0 {
		place(fd).Store(o)
	}
	return fd
}

// reserve finds a number that stands for nothing yet.
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

// reach has room for the numbers up to fd. L.
func (t *tableOf) reach(fd int32) {
	for n := t.next / tableChunk; n <= fd/tableChunk; n++ {
		if t.chunks[n].Load() == nil {
			t.chunks[n].Store(new([tableChunk]atomic.Pointer[open]))
		}
	}
	t.next = fd + 1
}

// unreserve gives such a number back.
func unreserve(fd int32) {
	table.Lock()
	defer table.Unlock()
	table.free = append(table.free, fd)
}

// place is where the table has what fd stands for; nil for no descriptor.
func place(fd int32) *atomic.Pointer[open] {
	if uint32(fd) >= filesMax {
		return nil
	}
	if chunk := table.chunks[fd/tableChunk].Load(); chunk != nil {
		return &chunk[fd%tableChunk]
	}
	return nil
}

// use finds what fd stands for, for a call that is followed by done; nil for no descriptor.
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
	if !o.hold() { // it has been closed since
		return nil
	}
	return o
}

// hold adds a reference; false if it is closed.
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

// done ends a call, or the life of a number.
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
		if o.socket.lingers.Load() { // a close that would have to wait fails else
			setUnblocked(o.handle, false)
		}
		return failed(windows.Closesocket(o.handle))
	}
	return failed(windows.CloseHandle(o.handle))
}

// add finds a number for something new; where there is none its handle is closed.
func add(o *open) int32 {
	o.refs.Store(1)
	fd := number(o)
	if fd < 0 {
		o.done()
	}
	return fd
}

// Close takes a number from what it stands for, and closes that if it was the last. A lingering socket's may wait.
func Close(fd int32) int32 {
	o := vacate(fd)
	if o == nil {
		return -EBADF
	}
	return o.done()
}

// vacate frees a number, and gives what it stood for.
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

// Dup gives another number for the same.
func Dup(fd int32) int32 {
	o := use(fd) // whose reference is that of the new number
	if o == nil {
		return -EBADF
	}
	n := number(o)
	if n < 0 {
		o.done()
	}
	return n
}

// Move gives what fd stands for another number in its place, as dup2(2) and close(2) do.
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

// Fcntl is fcntl(2) of the flags that are kept here. No descriptor goes to programs that this one starts.
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

// IsDirect reports whether fd goes round the page cache.
func IsDirect(fd int32) bool { return false }

// Blocks reports whether the calls of fd wait where they must.
func Blocks(fd int32) bool {
	flags := StatusFlags(fd)
	return flags >= 0 && flags&ONonblock == 0
}

// IsOpen reports whether fd is a descriptor at all.
func IsOpen(fd int32) bool {
	o := use(fd)
	if o == nil {
		return false
	}
	o.done()
	return true
}

// FilesMax is the number that no descriptor reaches.
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

// failed is the result of a call that gives nothing but an error.
func failed(err error) int32 {
	if err == nil {
		return 0
	}
	return resultOf(err)
}

// resultOf is an error as a result.
func resultOf(err error) int32 {
	switch e := err.(type) {
	case windows.Errno:
		return posix.Result(e)
	case windows.NTStatus:
		return ofStatus(e)
	}
	return -EIO
}
