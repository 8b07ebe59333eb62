//go:build windows

package sys

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"ringo/internal/posix"
)

var (
	kernel32          = windows.NewLazySystemDLL("kernel32.dll")
	procPeekNamedPipe = kernel32.NewProc("PeekNamedPipe")
)

// readyPipe returns what another program's pipe is ready for. Windows does not say whether it has room.
func (o *open) readyPipe() int32 {
	var n uint32
	r, _, errno := syscall.SyscallN(procPeekNamedPipe.Addr(), uintptr(o.handle), 0, 0, 0,
		uintptr(unsafe.Pointer(&n)), 0)
	switch {
	case r == 0 && errno == windows.ERROR_BROKEN_PIPE:
		return PollHup
	case r == 0: // the pipe is for writing only
		return PollOut
	case n > 0:
		return PollIn | PollOut
	}
	return PollOut
}

// ReadvAt is preadv(2) made of single reads: what others write in between is seen. vec is not empty.
func ReadvAt(fd int32, vec []Iovec, off int64) int32 { return oneByOne(fd, vec, off, ReadAt) }

// WritevAt is pwritev(2) made of single writes: others' bytes may come in between.
func WritevAt(fd int32, vec []Iovec, off int64) int32 { return oneByOne(fd, vec, off, WriteAt) }

func oneByOne(fd int32, vec []Iovec, off int64, call func(fd int32, p []byte, off int64) int32) (n int32) {
	for _, v := range vec {
		p := unsafe.Slice(v.Base, v.Len)
		res := call(fd, p, off)
		switch {
		case res < 0 && n == 0:
			return res
		case res < 0:
			return n
		}
		n += res
		if off >= 0 {
			off += int64(res)
		}
		if int(res) < len(p) {
			break
		}
	}
	return n
}

// size returns the length of a file.
func (o *open) size() (int64, int32) {
	var info standardInfo
	if err := getInfo(o.handle, windows.FileStandardInfo, &info); err != nil {
		return 0, resultOf(err)
	}
	return info.end, 0
}

// standardInfo is FILE_STANDARD_INFO.
type standardInfo struct {
	allocated, end  int64
	links           uint32
	deleted, folder bool
	_, _            byte
}

// basicInfo is FILE_BASIC_INFO, with times in units of 100 ns since 1601. A zero leaves the field unchanged.
type basicInfo struct {
	created, accessed, written, changed int64
	attributes                          uint32
	_                                   uint32
}

// tagInfo is FILE_ATTRIBUTE_TAG_INFO.
type tagInfo struct{ attributes, tag uint32 }

func getInfo[T any](h windows.Handle, class uint32, into *T) error {
	return windows.GetFileInformationByHandleEx(h, class, (*byte)(unsafe.Pointer(into)), uint32(unsafe.Sizeof(*into)))
}

func setInfo[T any](h windows.Handle, class uint32, info *T) error {
	return windows.SetFileInformationByHandle(h, class, (*byte)(unsafe.Pointer(info)), uint32(unsafe.Sizeof(*info)))
}

// with calls call with a handle of the same file that has a right. If o's handle lacks it, the file is opened once
// more.
func (o *open) with(right uint32, call func(h windows.Handle) error) int32 {
	if o.flags.Load()&OAccmode != 0 {
		return failed(call(o.handle))
	}
	t := target{root: o.handle}
	h, res := t.open(right|windows.SYNCHRONIZE, windows.FILE_OPEN, windows.FILE_SYNCHRONOUS_IO_NONALERT, 0)
	if res < 0 {
		return res
	}
	defer windows.CloseHandle(h)
	return failed(call(h))
}

// open is NtCreateFile. It shares the file for everything, deletes included, as on other systems.
func (t *target) open(access, disposition, options, attributes uint32) (windows.Handle, int32) {
	name, err := windows.NewNTUnicodeString(t.name)
	if err != nil {
		return 0, -EINVAL
	}
	object := windows.OBJECT_ATTRIBUTES{RootDirectory: t.root, ObjectName: name,
		Attributes: windows.OBJ_CASE_INSENSITIVE}
	object.Length = uint32(unsafe.Sizeof(object))
	var h windows.Handle
	var status windows.IO_STATUS_BLOCK
	err = windows.NtCreateFile(&h, access, &object, &status, nil, attributes,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, disposition,
		options|windows.FILE_OPEN_FOR_BACKUP_INTENT, 0, 0)
	if err != nil {
		return 0, resultOf(err)
	}
	return h, 0
}

// Openat2 is openat2(2), for names that may lead anywhere. -ENOSYS: the lookup is to be confined.
func Openat2(dir int32, path []byte, how *OpenHow) int32 {
	if how.Resolve != 0 {
		return enosys
	}
	flags := uint32(how.Flags)
	if flags&OTmpfile == OTmpfile {
		return -EOPNOTSUPP
	}
	if flags&ODirect != 0 {
		return posix.Lack(EINVAL)
	}
	t, res := lookup(dir, path)
	if res < 0 {
		return res
	}
	defer t.drop()
	access, disposition, options := terms(flags, t.folder)
	attributes := uint32(windows.FILE_ATTRIBUTE_NORMAL)
	if how.Mode&0o200 == 0 {
		attributes = windows.FILE_ATTRIBUTE_READONLY
	}
	h, res := t.open(access, disposition, options, attributes)
	if res == -EISDIR && flags&OCreat != 0 && flags&OExcl != 0 {
		return -EEXIST
	}
	if res < 0 {
		return res
	}
	if res = opened(h, flags); res < 0 {
		windows.CloseHandle(h)
		return res
	}
	return adopt(h, flags&(OAccmode|OAppend|OPath|ONonblock))
}

// terms returns NtCreateFile's arguments for flags of open(2).
func terms(flags uint32, folder bool) (access, disposition, options uint32) {
	access = windows.SYNCHRONIZE | windows.FILE_READ_ATTRIBUTES
	options = windows.FILE_SYNCHRONOUS_IO_NONALERT
	disposition = windows.FILE_OPEN
	switch {
	case flags&OPath != 0:
		access |= windows.FILE_TRAVERSE
	case flags&OAccmode == 0:
		access |= windows.FILE_GENERIC_READ
	case flags&OAccmode == OWronly:
		access |= windows.FILE_GENERIC_WRITE
		options |= windows.FILE_NON_DIRECTORY_FILE
	default:
		access |= windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE
		options |= windows.FILE_NON_DIRECTORY_FILE
	}
	switch {
	case flags&OPath != 0:
	case flags&OCreat != 0:
		disposition = windows.FILE_OPEN_IF
		options |= windows.FILE_NON_DIRECTORY_FILE
		if flags&OExcl != 0 {
			disposition = windows.FILE_CREATE
			options |= windows.FILE_OPEN_REPARSE_POINT
		}
	}
	if flags&OTrunc != 0 && flags&OPath == 0 {
		access |= windows.FILE_WRITE_DATA
	}
	if flags&syscall.O_SYNC != 0 {
		options |= windows.FILE_WRITE_THROUGH
	}
	if flags&ODirectory != 0 || folder && flags&OCreat == 0 {
		options = options&^windows.FILE_NON_DIRECTORY_FILE | windows.FILE_DIRECTORY_FILE
	}
	if flags&ONofollow != 0 {
		options |= windows.FILE_OPEN_REPARSE_POINT
	}
	return access, disposition, options
}

// opened does what is left to do after an open.
func opened(h windows.Handle, flags uint32) int32 {
	if flags&ONofollow != 0 && flags&OPath == 0 && isLink(h) {
		return -ELOOP
	}
	if flags&OTrunc != 0 && flags&OPath == 0 {
		if kindOf(h) != isFile {
			return 0
		}
		return failed(windows.Ftruncate(h, 0)) // not by the open itself, which would set attributes, too
	}
	return 0
}

// isLink reports whether a handle is that of a link itself.
func isLink(h windows.Handle) bool {
	var info tagInfo
	return getInfo(h, windows.FileAttributeTagInfo, &info) == nil &&
		info.attributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 &&
		(info.tag == windows.IO_REPARSE_TAG_SYMLINK || info.tag == windows.IO_REPARSE_TAG_MOUNT_POINT)
}

// inherit fills in the place of one of the streams that the program was started with.
func inherit(fd int32, at *atomic.Pointer[open]) *open {
	which := [...]uint32{windows.STD_INPUT_HANDLE, windows.STD_OUTPUT_HANDLE, windows.STD_ERROR_HANDLE}
	h, err := windows.GetStdHandle(which[fd])
	if err != nil || h == 0 || h == windows.InvalidHandle {
		return nil
	}
	o := &open{handle: h, kind: kindOf(h), file: new(file)}
	o.flags.Store(map[bool]uint32{true: 0, false: OWronly}[fd == 0])
	o.refs.Store(2)
	if !at.CompareAndSwap(nil, o) {
		return use(fd)
	}
	return o
}

// OFDLock is fcntl(2) with F_OFD_SETLK: a lock of the open file, which does not wait. No other file can read or write
// what Windows has locked, while locks on other systems bind only callers that lock. So the locked range lies far
// beyond the end of all files, where programs that lock a whole file by other means meet it, too.
func OFDLock(fd int32, kind int16, off, n int64) int32 {
	return onFile(fd, func(o *open) int32 {
		if off < 0 || n < 0 {
			return -EINVAL
		}
		const beyond = 1 << 62
		s := span{off: beyond + uint64(off), n: uint64(n), shared: kind == FRdlck}
		if n == 0 {
			s.n = ^uint64(0) - s.off
		}
		o.file.mu.Lock()
		defer o.file.mu.Unlock()
		if kind == FUnlck {
			return o.unlock(s)
		}
		return o.lock(s)
	})
}

// lock locks a range, and replaces the file's locks there. In between, another file may take the lock.
func (o *open) lock(s span) int32 {
	before := o.file.locks
	if res := o.unlock(s); res < 0 {
		return res
	}
	res := o.lockNew(s)
	if res < 0 {
		for _, old := range before {
			if old.within(s) {
				o.lockNew(old)
			}
		}
	}
	return res
}

func (s span) within(other span) bool { return s.off >= other.off && s.off+s.n <= other.off+other.n }

func (o *open) lockNew(s span) int32 {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if !s.shared {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	at := windows.Overlapped{Offset: uint32(s.off), OffsetHigh: uint32(s.off >> 32)}
	err := windows.LockFileEx(o.handle, flags, 0, uint32(s.n), uint32(s.n>>32), &at)
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return -EAGAIN
	}
	if err == nil {
		o.file.locks = append(o.file.locks[:len(o.file.locks):len(o.file.locks)], s)
	}
	return failed(err)
}

// unlock unlocks a range. Windows can't unlock a part of a locked range, so the rest is locked again, and another file
// may take that lock in between.
func (o *open) unlock(s span) int32 {
	var left, again []span
	for _, old := range o.file.locks {
		if old.off+old.n <= s.off || s.off+s.n <= old.off {
			left = append(left, old)
			continue
		}
		if old.off < s.off {
			again = append(again, span{old.off, s.off - old.off, old.shared})
		}
		if end := s.off + s.n; end < old.off+old.n {
			again = append(again, span{end, old.off + old.n - end, old.shared})
		}
		at := windows.Overlapped{Offset: uint32(old.off), OffsetHigh: uint32(old.off >> 32)}
		if err := windows.UnlockFileEx(o.handle, 0, uint32(old.n), uint32(old.n>>32), &at); err != nil {
			return resultOf(err)
		}
	}
	o.file.locks = left
	for _, rest := range again {
		if res := o.lockNew(rest); res < 0 {
			return res
		}
	}
	return 0
}

// Fstatfs describes the file system that a file is on, as far as Windows does.
func Fstatfs(fd int32, st *Statfs) int32 {
	return onFile(fd, func(o *open) int32 { return st.of(o.handle) })
}

// StatfsOf is Fstatfs for a name.
func StatfsOf(path []byte, st *Statfs) int32 {
	return at(AtFdcwd, path, 0, windows.FILE_READ_ATTRIBUTES, func(h windows.Handle) int32 { return st.of(h) })
}

func (st *Statfs) of(h windows.Handle) int32 {
	path, err := pathOf(h)
	if err != nil {
		return resultOf(err)
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return -EINVAL
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err == nil &&
		info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY == 0 { // Windows expects a folder
		for i := len(path) - 1; i > 0; i-- {
			if path[i] == '\\' {
				name, _ = windows.UTF16PtrFromString(path[:i+1])
				break
			}
		}
	}
	var usable, all, free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &usable, &all, &free); err != nil {
		return resultOf(err)
	}
	const block = 4096
	*st = Statfs{BlockSize: block, Blocks: all / block, BlocksFree: free / block, BlocksUsable: usable / block,
		NameMax: 255}
	return 0
}
