//go:build windows

package sys

import (
	"encoding/binary"
	"syscall"
	"time"
	"unicode/utf16"
	"unsafe"

	"ringo/internal/posix"

	"golang.org/x/sys/windows"
)

// at calls call with a handle of what a name leads to, or of dir itself if the name is empty and flags allow that.
func at(dir int32, path []byte, flags, access uint32, call func(h windows.Handle) int32) int32 {
	if flags&AtEmptyPath != 0 && len(path) <= 1 && dir != AtFdcwd {
		o := use(dir)
		if o == nil {
			return -EBADF
		}
		defer o.done()
		if o.file == nil {
			return -EBADF
		}
		t := target{root: o.handle}
		return t.call(access, windows.FILE_OPEN_REPARSE_POINT, call)
	}
	if flags&AtEmptyPath != 0 && len(path) <= 1 {
		path = []byte(".\x00")
	}
	t, res := lookup(dir, path)
	if res < 0 {
		return res
	}
	defer t.drop()
	options := uint32(0)
	if flags&AtSymlinkNofollow != 0 {
		options |= windows.FILE_OPEN_REPARSE_POINT
	}
	if t.folder {
		options |= windows.FILE_DIRECTORY_FILE
	}
	return t.call(access, options, call)
}

func (t *target) call(access, options uint32, call func(h windows.Handle) int32) int32 {
	h, res := t.open(access|windows.SYNCHRONIZE, windows.FILE_OPEN, options|windows.FILE_SYNCHRONOUS_IO_NONALERT, 0)
	if res < 0 {
		return res
	}
	defer windows.CloseHandle(h)
	return call(h)
}

// Statxat is statx(2), with what Windows knows.
func Statxat(dir int32, path []byte, flags, mask uint32, st *Statx) int32 {
	if flags&AtEmptyPath != 0 && len(path) <= 1 && dir != AtFdcwd {
		o := use(dir)
		if o == nil {
			return -EBADF
		}
		defer o.done()
		return o.stat(st)
	}
	return at(dir, path, flags, windows.FILE_READ_ATTRIBUTES, func(h windows.Handle) int32 {
		o := open{handle: h, kind: kindOf(h)}
		return o.stat(st)
	})
}

// FileType returns the file type of fd: SIfsock, SIfifo and so on.
func FileType(fd int32) int32 {
	o := use(fd)
	if o == nil {
		return -EBADF
	}
	defer o.done()
	var st Statx
	if res := o.stat(&st); res < 0 {
		return res
	}
	return int32(st.Mode & SIfmt)
}

func (o *open) stat(st *Statx) int32 {
	*st = Statx{Mask: StatxBasic, Blksize: 4096, Nlink: 1, Ino: uint64(uintptr(unsafe.Pointer(o)))}
	switch {
	case o.mem != nil && o.mem.counter != nil:
		st.Mode = 0o600
		return 0
	case o.kind == isPipe:
		st.Mode = SIfifo | 0o600
		return 0
	case o.socket != nil:
		st.Mode = SIfsock | 0o777
		return 0
	case o.kind == isConsole:
		st.Mode = SIfchr | 0o666
		return 0
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(o.handle, &info); err != nil {
		return resultOf(err)
	}
	st.Mask |= StatxBtime
	st.Attributes, st.AttributesMask = uint64(info.FileAttributes), 1<<32-1
	st.Mode = modeOf(info.FileAttributes)
	if isLink(o.handle) {
		st.Mode = SIflnk | 0o777
	}
	st.Nlink = info.NumberOfLinks
	st.Ino = uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)
	st.Size = uint64(info.FileSizeHigh)<<32 | uint64(info.FileSizeLow)
	if st.Mode&SIfmt == SIfdir {
		st.Size = 0
	}
	st.DevMajor, st.DevMinor = info.VolumeSerialNumber>>20, info.VolumeSerialNumber&0xfffff
	st.Btime, st.Atime = statxTime(info.CreationTime), statxTime(info.LastAccessTime)
	st.Mtime = statxTime(info.LastWriteTime)
	st.Ctime = st.Mtime
	var basic basicInfo
	if getInfo(o.handle, windows.FileBasicInfo, &basic) == nil && basic.changed != 0 {
		st.Ctime = statxTime(windows.Filetime{LowDateTime: uint32(basic.changed),
			HighDateTime: uint32(basic.changed >> 32)})
	}
	var standard standardInfo
	if getInfo(o.handle, windows.FileStandardInfo, &standard) == nil {
		st.Blocks = uint64(standard.allocated) / 512
	}
	return 0
}

// modeOf returns the mode that package os derives from a file's attributes.
func modeOf(attributes uint32) uint16 {
	mode := uint16(0o666)
	if attributes&windows.FILE_ATTRIBUTE_READONLY != 0 {
		mode = 0o444
	}
	if attributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0 {
		return SIfdir | mode | 0o111
	}
	return SIfreg | mode
}

func statxTime(t windows.Filetime) StatxTime {
	ns := t.Nanoseconds()
	sec, nsec := ns/1e9, ns%1e9
	if nsec < 0 {
		sec, nsec = sec-1, nsec+1e9
	}
	return StatxTime{Sec: sec, Nsec: uint32(nsec)}
}

// Mkdirat is mkdirat(2). Folders have no modes of their own here.
func Mkdirat(dir int32, path []byte, mode uint32) int32 {
	t, res := lookup(dir, path)
	if res < 0 {
		return res
	}
	defer t.drop()
	h, res := t.open(windows.FILE_GENERIC_READ, windows.FILE_CREATE, windows.FILE_DIRECTORY_FILE|
		windows.FILE_SYNCHRONOUS_IO_NONALERT, windows.FILE_ATTRIBUTE_NORMAL)
	if res < 0 {
		return res
	}
	windows.CloseHandle(h)
	return 0
}

// Unlinkat is unlinkat(2), or rmdir(2). The name is gone at once even while the file is open, if the file system
// supports that.
func Unlinkat(dir int32, path []byte, flags uint32) int32 {
	t, res := lookup(dir, path)
	if res < 0 {
		return res
	}
	defer t.drop()
	sort := uint32(windows.FILE_NON_DIRECTORY_FILE)
	if flags&AtRemovedir != 0 {
		sort = windows.FILE_DIRECTORY_FILE
	}
	const options = windows.FILE_OPEN_REPARSE_POINT | windows.FILE_SYNCHRONOUS_IO_NONALERT
	const access = windows.DELETE | windows.FILE_READ_ATTRIBUTES | windows.SYNCHRONIZE
	h, res := t.open(access, windows.FILE_OPEN, options|sort, 0)
	if res == -EISDIR && flags&AtRemovedir == 0 { // it may be a link to a folder, which is removed as a file is
		if h, res = t.open(access, windows.FILE_OPEN, options, 0); res == 0 && !isLink(h) {
			windows.CloseHandle(h)
			return -EISDIR
		}
	}
	if res < 0 {
		return res
	}
	defer windows.CloseHandle(h)
	return remove(h)
}

// remove removes the name by which a file was opened, even if the file is read-only.
func remove(h windows.Handle) int32 {
	flags := uint32(windows.FILE_DISPOSITION_DELETE | windows.FILE_DISPOSITION_POSIX_SEMANTICS |
		windows.FILE_DISPOSITION_FORCE_IMAGE_SECTION_CHECK | windows.FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE)
	err := ntSet(h, windows.FileDispositionInformationEx, (*[4]byte)(unsafe.Pointer(&flags))[:])
	if !isOld(err) {
		return failed(err)
	}
	var basic basicInfo
	if getInfo(h, windows.FileBasicInfo, &basic) == nil && basic.attributes&windows.FILE_ATTRIBUTE_READONLY != 0 {
		t := target{root: h}
		t.call(windows.FILE_WRITE_ATTRIBUTES, windows.FILE_OPEN_REPARSE_POINT, func(h windows.Handle) int32 {
			return failed(setInfo(h, windows.FileBasicInfo, &basicInfo{attributes: windows.FILE_ATTRIBUTE_NORMAL}))
		})
	}
	return failed(ntSet(h, windows.FileDispositionInformation, []byte{1}))
}

// ntSet is NtSetInformationFile.
func ntSet(h windows.Handle, class uint32, info []byte) error {
	var status windows.IO_STATUS_BLOCK
	return windows.NtSetInformationFile(h, &status, &info[0], uint32(len(info)), class)
}

// isOld reports whether an error means that the system, or a file system, doesn't know an information class.
func isOld(err error) bool {
	switch err {
	case windows.STATUS_INVALID_INFO_CLASS, windows.STATUS_INVALID_PARAMETER, windows.STATUS_NOT_SUPPORTED,
		windows.STATUS_NOT_IMPLEMENTED:
		return true
	}
	return false
}

// renameMax is how long a rename is repeated while other programs are in its way: virus scanners look at what has just
// been written, see https://go.dev/issue/25965.
const renameMax = 100 * time.Millisecond

// Renameat is renameat2(2). Two names can't be exchanged.
func Renameat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	switch {
	case flags&^(RenameNoreplace|RenameExchange) != 0:
		return -EINVAL
	case flags&RenameExchange != 0:
		return posix.Lack(EINVAL)
	}
	from, res := lookup(oldDir, old)
	if res < 0 {
		return res
	}
	defer from.drop()
	to, res := lookup(newDir, name)
	if res < 0 {
		return res
	}
	defer to.drop()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		res = from.call(windows.DELETE|windows.FILE_READ_ATTRIBUTES, windows.FILE_OPEN_REPARSE_POINT,
			func(h windows.Handle) int32 { return rename(h, &to, flags&RenameNoreplace == 0) })
		if res != -EACCES && res != -EBUSY || time.Since(began) > renameMax {
			return res
		}
	}
}

func rename(h windows.Handle, to *target, replace bool) int32 {
	how := uint32(windows.FILE_RENAME_POSIX_SEMANTICS | windows.FILE_RENAME_IGNORE_READONLY_ATTRIBUTE)
	if replace {
		how |= windows.FILE_RENAME_REPLACE_IF_EXISTS
	}
	const fileRenameInformationEx = 65
	err := ntSet(h, fileRenameInformationEx, to.info(how))
	if isOld(err) {
		err = ntSet(h, windows.FileRenameInformation, to.info(how&windows.FILE_RENAME_REPLACE_IF_EXISTS))
	}
	return failed(err)
}

// info returns FILE_RENAME_INFORMATION, or FILE_LINK_INFORMATION: flags, the folder, and the name there.
func (t *target) info(flags uint32) []byte {
	name := utf16.Encode([]rune(t.name))
	const at = 2 * unsafe.Sizeof(uintptr(0)) // of the length
	b := make([]byte, int(at)+4+2*len(name)+2)
	binary.NativeEndian.PutUint32(b, flags)
	*(*uintptr)(unsafe.Pointer(&b[unsafe.Sizeof(uintptr(0))])) = uintptr(t.root)
	binary.NativeEndian.PutUint32(b[at:], uint32(2*len(name)))
	for i, c := range name {
		binary.NativeEndian.PutUint16(b[int(at)+4+2*i:], c)
	}
	return b
}

// Linkat is linkat(2).
func Linkat(oldDir int32, old []byte, newDir int32, name []byte, flags uint32) int32 {
	to, res := lookup(newDir, name)
	if res < 0 {
		return res
	}
	defer to.drop()
	follow := AtSymlinkNofollow
	if flags&AtSymlinkFollow != 0 {
		follow = 0
	}
	flags = flags&AtEmptyPath | uint32(follow)
	return at(oldDir, old, flags, windows.FILE_WRITE_ATTRIBUTES, func(h windows.Handle) int32 {
		const fileLinkInformation = 11
		return failed(ntSet(h, fileLinkInformation, to.info(0)))
	})
}

// Symlinkat is symlinkat(2). It needs a right that few users have, or developer mode. A link to a folder has a type of
// its own.
func Symlinkat(to []byte, dir int32, path []byte) int32 {
	t, res := lookup(dir, path)
	if res < 0 {
		return res
	}
	defer t.drop()
	name, res := t.path()
	if res < 0 {
		return res
	}
	goal := windowsPath(to)
	link, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return -EINVAL
	}
	aim, err := windows.UTF16PtrFromString(goal)
	if err != nil {
		return -EINVAL
	}
	const unprivileged = 2 // SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE
	kind := uint32(unprivileged)
	if leadsToFolder(name, goal) {
		kind |= windows.SYMBOLIC_LINK_FLAG_DIRECTORY
	}
	err = windows.CreateSymbolicLink(link, aim, kind)
	if err == windows.ERROR_INVALID_PARAMETER { // before Windows 10, version 1703
		err = windows.CreateSymbolicLink(link, aim, kind&^unprivileged)
	}
	return failed(err)
}

// windowsPath returns a path with Windows' separators, without the NUL.
func windowsPath(path []byte) string {
	b := append([]byte(nil), path[:len(path)-1]...)
	for i := range b {
		if b[i] == '/' {
			b[i] = '\\'
		}
	}
	return string(b)
}

// leadsToFolder reports whether a link of that name would lead to a folder.
func leadsToFolder(name, goal string) bool {
	if goal != "" && !isWhole(goal) {
		for i := len(name) - 1; i >= 0; i-- {
			if name[i] == '\\' {
				goal = name[:i+1] + goal
				break
			}
		}
	}
	p, err := windows.UTF16PtrFromString(goal)
	if err != nil {
		return false
	}
	attributes, err := windows.GetFileAttributes(p)
	return err == nil && attributes&windows.FILE_ATTRIBUTE_DIRECTORY != 0
}

// Readlinkat is readlinkat(2). It returns the length of the target in p, which may be truncated there.
func Readlinkat(dir int32, path, p []byte) int32 {
	return at(dir, path, AtSymlinkNofollow|AtEmptyPath, windows.FILE_READ_ATTRIBUTES, func(h windows.Handle) int32 {
		if !isLink(h) {
			return -EINVAL
		}
		buf := make([]byte, windows.MAXIMUM_REPARSE_DATA_BUFFER_SIZE)
		var n uint32
		err := windows.DeviceIoControl(h, windows.FSCTL_GET_REPARSE_POINT, nil, 0, &buf[0], uint32(len(buf)), &n, nil)
		if err != nil {
			return resultOf(err)
		}
		return int32(copy(p, linkOf(buf[:n])))
	})
}

// linkOf returns the target of a link from its REPARSE_DATA_BUFFER.
func linkOf(b []byte) string {
	if len(b) < 20 {
		return ""
	}
	names, relative := b[16:], false
	if binary.NativeEndian.Uint32(b) == windows.IO_REPARSE_TAG_SYMLINK {
		relative = binary.NativeEndian.Uint32(b[16:])&1 != 0
		names = b[20:]
	}
	at, n := int(binary.NativeEndian.Uint16(b[8:])), int(binary.NativeEndian.Uint16(b[10:]))
	if at+n > len(names) {
		return ""
	}
	wide := make([]uint16, n/2)
	for i := range wide {
		wide[i] = binary.NativeEndian.Uint16(names[at+2*i:])
	}
	name := syscall.UTF16ToString(wide)
	if whole := `\??\`; !relative && len(name) > 4 && name[:4] == whole {
		name = name[4:]
	}
	return name
}

// Fchmod is fchmod(2); Windows has only the right to write.
func Fchmod(fd int32, mode uint32) int32 { return Fchmodat(fd, nil, mode, AtEmptyPath) }

// Fchmodat is fchmodat(2), see Fchmod.
func Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	const access = windows.FILE_READ_ATTRIBUTES | windows.FILE_WRITE_ATTRIBUTES
	return at(dir, path, flags, access, func(h windows.Handle) int32 {
		var info basicInfo
		if err := getInfo(h, windows.FileBasicInfo, &info); err != nil {
			return resultOf(err)
		}
		attributes := info.attributes &^ windows.FILE_ATTRIBUTE_READONLY
		if mode&0o200 == 0 {
			attributes |= windows.FILE_ATTRIBUTE_READONLY
		}
		if attributes == 0 {
			attributes = windows.FILE_ATTRIBUTE_NORMAL
		}
		return failed(setInfo(h, windows.FileBasicInfo, &basicInfo{attributes: attributes}))
	})
}

// Faccessat reports whether a file exists and, if writing is asked for, is not read-only.
func Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
	return at(dir, path, flags&^uint32(AtEaccess), windows.FILE_READ_ATTRIBUTES, func(h windows.Handle) int32 {
		var info basicInfo
		if err := getInfo(h, windows.FileBasicInfo, &info); err != nil {
			return resultOf(err)
		}
		const write = 2
		if mode&write != 0 && info.attributes&windows.FILE_ATTRIBUTE_READONLY != 0 &&
			info.attributes&windows.FILE_ATTRIBUTE_DIRECTORY == 0 {
			return -EACCES
		}
		return 0
	})
}

// Utimensat is utimensat(2); without a path dir is an open file.
func Utimensat(dir int32, path []byte, times *TimePair, flags uint32) int32 {
	if path == nil {
		flags |= AtEmptyPath
	}
	var own [2]*windows.Filetime
	for i, t := range times {
		const utimeNow = 0x3fffffff
		switch t.Nsec {
		case UtimeOmit:
			continue
		case utimeNow:
			t.Sec, t.Nsec = time.Now().Unix(), int64(time.Now().Nanosecond())
		}
		f := windows.NsecToFiletime(t.Sec*1e9 + t.Nsec)
		own[i] = &f
	}
	return at(dir, path, flags, windows.FILE_WRITE_ATTRIBUTES, func(h windows.Handle) int32 {
		return failed(windows.SetFileTime(h, nil, own[0], own[1]))
	})
}

// Truncate is truncate(2).
func Truncate(path []byte, size int64) int32 {
	if size < 0 {
		return -EINVAL
	}
	t, res := lookup(AtFdcwd, path)
	if res < 0 {
		return res
	}
	defer t.drop()
	return t.call(windows.FILE_WRITE_DATA, windows.FILE_NON_DIRECTORY_FILE, func(h windows.Handle) int32 {
		return failed(windows.Ftruncate(h, size))
	})
}
