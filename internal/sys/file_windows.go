//go:build windows

package sys

import (
	"sync"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

// file is the state of an open file, or folder.
type file struct {
	mu sync.Mutex // held across calls that move the position
	// position is where reads and writes without an offset continue. Windows' own position is not used, because each
	// call with an offset moves it.
	position int64
	entries  entries // of a folder
	locks    []span
}

// span is a locked range.
type span struct {
	off, n uint64
	shared bool
}

// adopt gives a descriptor to a file that has been opened.
func adopt(h windows.Handle, flags uint32) int32 {
	o := &open{handle: h, file: new(file)}
	o.kind = kindOf(h)
	o.flags.Store(flags)
	return add(o)
}

// kindOf returns what a handle stands for.
func kindOf(h windows.Handle) kind {
	switch t, _ := windows.GetFileType(h); t {
	case windows.FILE_TYPE_PIPE:
		return isPipe
	case windows.FILE_TYPE_CHAR:
		return isConsole
	}
	var info windows.ByHandleFileInformation
	if windows.GetFileInformationByHandle(h, &info) == nil &&
		info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 {
		return isFolder
	}
	return isFile
}

// Read is read(2), at the position, for descriptors whose read does not wait.
func Read(fd int32, p []byte) int32 { return readAt(fd, p, -1) }

// Write is write(2), at the position, for descriptors whose write does not wait.
func Write(fd int32, p []byte) int32 { return writeAt(fd, p, -1) }

// ReadAt is pread(2), or read(2) at the position when off is negative. It may wait for the disk, and in blocking mode
// for others.
func ReadAt(fd int32, p []byte, off int64) int32 {
	return waiting(fd, PollIn, func() int32 { return readAt(fd, p, off) })
}

// WriteAt is pwrite(2), or write(2) at the position when off is negative. It may wait, as ReadAt does.
func WriteAt(fd int32, p []byte, off int64) int32 {
	return waiting(fd, PollOut, func() int32 { return writeAt(fd, p, off) })
}

// waiting repeats a call in blocking mode, as long as the call would have to wait.
func waiting(fd int32, mask int16, call func() int32) int32 {
	for {
		res := call()
		if res != -EAGAIN || !Blocks(fd) {
			return res
		}
		Ppoll([]PollFd{{Fd: fd, Events: mask}}, -1)
	}
}

func readAt(fd int32, p []byte, off int64) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	switch {
	case o.flags.Load()&OAccmode == OWronly || o.flags.Load()&OPath != 0:
		return -EBADF
	case o.mem != nil:
		return o.mem.readMemory(p)
	case o.socket != nil:
		return o.recv(p, 0)
	case o.kind == isFolder:
		return -EISDIR
	case o.kind != isFile:
		return o.readStream(p)
	case off >= 0:
		return o.readFile(p, off)
	}
	o.file.mu.Lock()
	defer o.file.mu.Unlock()
	n := o.readFile(p, o.file.position)
	o.file.position += int64(max(n, 0))
	return n
}

// ReadAtInMemory is ReadAt.
func ReadAtInMemory(fd int32, p []byte, off int64) int32 { return ReadAt(fd, p, off) }

// readFile reads at an offset. The end of the file is not an error.
func (o *open) readFile(p []byte, off int64) int32 {
	if len(p) == 0 {
		return 0
	}
	var n uint32
	at := windows.Overlapped{Offset: uint32(off), OffsetHigh: uint32(off >> 32)}
	switch err := windows.ReadFile(o.handle, p[:clampLen(p)], &n, &at); err {
	case nil:
		return int32(n)
	case windows.ERROR_HANDLE_EOF:
		return 0
	default:
		return resultOf(err)
	}
}

// readStream reads from something without offsets, and waits.
func (o *open) readStream(p []byte) int32 {
	var n uint32
	switch err := windows.ReadFile(o.handle, p[:clampLen(p)], &n, nil); err {
	case nil:
		return int32(n)
	case windows.ERROR_BROKEN_PIPE, windows.ERROR_HANDLE_EOF:
		return 0
	default:
		return resultOf(err)
	}
}

func writeAt(fd int32, p []byte, off int64) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	flags := o.flags.Load()
	switch {
	case flags&OAccmode == 0 || flags&OPath != 0:
		return -EBADF
	case o.mem != nil:
		return o.mem.writeMemory(p)
	case o.socket != nil:
		return o.send(p, 0)
	case o.kind != isFile:
		return o.writeFile(p, nil)
	case off >= 0 && flags&OAppend == 0:
		return o.writeFile(p, &windows.Overlapped{Offset: uint32(off), OffsetHigh: uint32(off >> 32)})
	}
	o.file.mu.Lock()
	defer o.file.mu.Unlock()
	if flags&OAppend != 0 {
		n := o.writeFile(p, &windows.Overlapped{Offset: 0xffffffff, OffsetHigh: 0xffffffff}) // at the end
		if size, res := o.size(); n > 0 && res == 0 && off < 0 {
			o.file.position = size
		}
		return n
	}
	at := o.file.position
	n := o.writeFile(p, &windows.Overlapped{Offset: uint32(at), OffsetHigh: uint32(at >> 32)})
	o.file.position += int64(max(n, 0))
	return n
}

func (o *open) writeFile(p []byte, at *windows.Overlapped) int32 {
	if len(p) == 0 {
		return 0
	}
	var n uint32
	if err := windows.WriteFile(o.handle, p[:clampLen(p)], &n, at); err != nil {
		return resultOf(err)
	}
	return int32(n)
}

// ReadNow is a read that does not wait, even on a descriptor in blocking mode. -EOPNOTSUPP: this kind of file can't.
func ReadNow(fd int32, p []byte) int32 { return now(fd, p, readAt) }

// WriteNow is a write that does not wait, see ReadNow.
func WriteNow(fd int32, p []byte) int32 { return now(fd, p, writeAt) }

func now(fd int32, p []byte, call func(fd int32, p []byte, off int64) int32) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	if o.socket == nil && o.mem == nil {
		return -EOPNOTSUPP
	}
	return call(fd, p, -1)
}

// ReadAtNow is refused: Windows has no read that is limited to what is in memory.
func ReadAtNow(fd int32, p []byte, off int64) int32 { return -EOPNOTSUPP }

// WriteAtNow is refused, see ReadAtNow.
func WriteAtNow(fd int32, p []byte, off int64) int32 { return -EOPNOTSUPP }

// ReadvAtNow is refused, see ReadAtNow.
func ReadvAtNow(fd int32, vec []Iovec, off int64) int32 { return -EOPNOTSUPP }

// WritevAtNow is refused, see ReadAtNow.
func WritevAtNow(fd int32, vec []Iovec, off int64) int32 { return -EOPNOTSUPP }

// SeekIn is lseek(2). Windows does not say where a file has holes: it counts as all data, as on Linux's file systems
// that don't know holes.
func SeekIn(fd int32, off int64, whence int) (int64, int32) {
	o := use(fd)
	if o == nil {
		return 0, -EBADF
	}
	defer o.done()
	if o.file == nil || o.kind == isPipe || o.kind == isConsole {
		return 0, -ESPIPE
	}
	o.file.mu.Lock()
	defer o.file.mu.Unlock()
	at := off
	switch whence {
	case 0:
	case SeekCur:
		at += o.file.position
	case 2, SeekData, SeekHole:
		size, res := o.size()
		switch {
		case res < 0:
			return 0, res
		case whence == 2:
			at += size
		case off < 0 || off >= size:
			return 0, -ENXIO
		case whence == SeekHole:
			at = size
		}
	default:
		return 0, -EINVAL
	}
	if at < 0 {
		return 0, -EINVAL
	}
	o.file.position = at
	if o.kind == isFolder {
		o.file.entries.rewind()
	}
	return at, 0
}

// Fsync is FlushFileBuffers, which writes data and metadata: there is no call for data only.
func Fsync(fd int32, dataOnly bool) int32 {
	return onFile(fd, func(o *open) int32 {
		if o.kind == isPipe || o.kind == isConsole {
			return -EINVAL
		}
		return o.with(windows.FILE_WRITE_DATA, func(h windows.Handle) error { return windows.FlushFileBuffers(h) })
	})
}

// SyncFileRange is Fsync: a range can't be written alone.
func SyncFileRange(fd int32, off, n int64, flags int) int32 {
	const known = 7
	switch res := disk(fd); {
	case res < 0:
		return res
	case flags&^known != 0 || off < 0 || n < 0:
		return -EINVAL
	}
	return Fsync(fd, true)
}

// Fadvise accepts advice, and ignores it.
func Fadvise(fd int32, off, n int64, advice int) int32 {
	const known = 5
	if res := disk(fd); res < 0 || advice >= 0 && advice <= known {
		return res
	}
	return -EINVAL
}

// disk returns -ESPIPE for descriptors that are not on a disk.
func disk(fd int32) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	if o.file == nil {
		return -ESPIPE
	}
	return 0
}

// noneOf returns the result of a call that no file supports here, or -EBADF.
func noneOf(fd int32) int32 {
	if !IsOpen(fd) {
		return -EBADF
	}
	return posix.Lack(EOPNOTSUPP)
}

// CopyRange is not supported: -ENOSYS.
func CopyRange(in, out int32, inOff, outOff int64, n int) int32 {
	if !IsOpen(in) || !IsOpen(out) {
		return -EBADF
	}
	return enosys
}

// noneAt is noneOf for a name in a folder.
func noneAt(dir int32) int32 {
	if dir != AtFdcwd && !IsOpen(dir) {
		return -EBADF
	}
	return posix.Lack(ENOSYS)
}

// Ftruncate is ftruncate(2).
func Ftruncate(fd int32, size int64) int32 {
	return onFile(fd, func(o *open) int32 {
		if size < 0 || o.kind != isFile || o.flags.Load()&OAccmode == 0 {
			return -EINVAL
		}
		return failed(windows.Ftruncate(o.handle, size))
	})
}

// onFile makes a call on an open file or folder.
func onFile(fd int32, call func(o *open) int32) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	if o.file == nil {
		return -EINVAL
	}
	return call(o)
}

// Fchdir is fchdir(2).
func Fchdir(fd int32) int32 {
	return onFile(fd, func(o *open) int32 {
		if o.kind != isFolder {
			return -ENOTDIR
		}
		path, err := pathOf(o.handle)
		if err != nil {
			return resultOf(err)
		}
		return failed(windows.Chdir(path))
	})
}

// ready returns what a file, or a stream that can't be waited for, is ready for.
func (o *open) ready() int32 {
	if o.mem != nil {
		return int32(o.mem.ready())
	}
	if o.kind != isPipe {
		return PollIn | PollOut
	}
	return o.readyPipe()
}

// Calls that this system does not have, or not in this form.

func Fallocate(fd int32, mode uint32, off, n int64) int32             { return posix.Lack(EOPNOTSUPP) }
func Fgetxattr(fd int32, name, p []byte) int32                        { return noneOf(fd) }
func Fsetxattr(fd int32, name, p []byte, flags int) int32             { return noneOf(fd) }
func Flistxattr(fd int32, p []byte) int32                             { return noneOf(fd) }
func Fremovexattr(fd int32, name []byte) int32                        { return noneOf(fd) }
func Clone(out, in int32) int32                                       { return noneOf(out) }
func Resident(fd int32, off, n int64) int32                           { return enosys }
func OpenatCached(dir int32, path []byte, how *OpenHow) int32         { return enosys }
func StatCached(dir int32, path []byte, flags uint32, _ *Statx) int32 { return enosys }
func Mknodat(dir int32, path []byte, mode, dev uint32) int32          { return noneAt(dir) }
func Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32   { return noneAt(dir) }
func PidFD(pid int) int32                                             { return enosys }
func Splice(in, out int32, n int) int32                               { return -EINVAL }
func Sendfile(out, in int32, off int64, n int) int32                  { return -EINVAL }

// Gettid returns the id of the calling thread.
func Gettid() int32 { return int32(windows.GetCurrentThreadId()) }
