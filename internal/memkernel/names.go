//go:build linux

package memkernel

import (
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
	"ringo/internal/world"
)

// node is what a call on a name is about: the open file itself for an empty name, where the call allows that.
func (h *Host) node(dir int32, path []byte, flags uint32, follow bool) (*inode, int32) {
	if text(path) == "" && flags&sys.AtEmptyPath != 0 {
		if dir == sys.AtFdcwd {
			return h.cwd, 0
		}
		o := h.at(dir)
		if o == nil {
			return nil, -sys.EBADF
		}
		if f, ok := o.object.(*file); ok {
			return f.inode, 0
		}
		return h.anonymous(o), 0
	}
	p, res := h.lookup(dir, path, walk{follow: follow})
	switch {
	case res < 0:
		return nil, res
	case p.is == nil:
		return nil, -sys.ENOENT
	}
	return p.is, 0
}

// anonymous is what statx tells of an open file that has no name.
func (h *Host) anonymous(o *openFile) *inode {
	mode := uint32(sys.SIfsock | 0o777)
	switch o.object.(type) {
	case readEnd, writeEnd:
		mode = sys.SIfifo | 0o600
	}
	return &inode{h: h, mode: mode, nlink: 1}
}

// Statx tells what is known of a file.
func (h *Host) Statx(dir int32, path []byte, flags, _ uint32, st *sys.Statx) int32 {
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	*st = sys.Statx{Mask: sys.StatxBasic | sys.StatxBtime, Blksize: pageSize, Nlink: n.nlink, UID: n.uid, GID: n.gid,
		Mode: uint16(n.mode), Ino: n.ino, Size: uint64(n.size), Blocks: uint64(len(n.pages)) * (pageSize / 512),
		Atime: h.stamp(n.atime), Btime: h.stamp(n.btime), Ctime: h.stamp(n.ctime), Mtime: h.stamp(n.mtime),
		RdevMajor: unix.Major(uint64(n.rdev)), RdevMinor: unix.Minor(uint64(n.rdev)),
		DevMajor: 8, DevMinor: 1, MntID: 1}
	if n.isDir() {
		st.Size = pageSize
	}
	if n.mode&sys.SIfmt == sys.SIflnk {
		st.Size = uint64(len(n.target))
	}
	return 0
}

// wallStart is what a wall clock says when the world begins: the first of January 2030.
const wallStart = 1893456000

// stamp is a time of a file. Those that Utimensat has set are kept as they are, as negative numbers.
func (h *Host) stamp(ns int64) sys.StatxTime {
	ns += (wallStart)*1e9 - world.Start
	return sys.StatxTime{Sec: floor(ns, 1e9), Nsec: uint32(ns - floor(ns, 1e9)*1e9)}
}

func floor(a, b int64) int64 {
	if q := a / b; a%b >= 0 {
		return q
	}
	return a/b - 1
}

// unstamp is a time as inodes have it.
func unstamp(sec, nsec int64) int64 { return (sec-wallStart)*1e9 + nsec + world.Start }

// mkdirat makes a directory.
func (h *Host) mkdirat(dir int32, path []byte, mode uint32) int32 {
	return h.make(dir, path, true, func() *inode { return h.newInode(sys.SIfdir | mode&0o7777) })
}

// make makes a name that is not there. Without fresh it only says whether it could.
func (h *Host) make(dir int32, path []byte, dirs bool, fresh func() *inode) int32 {
	p, res := h.lookup(dir, path, walk{parent: true})
	switch {
	case res < 0:
		return res
	case p.is != nil:
		return -sys.EEXIST
	case p.dirs && !dirs, p.dir.nlink == 0:
		return -sys.ENOENT
	}
	if fresh != nil {
		h.change(func() { p.dir.link(p.name, fresh()) })
	}
	return 0
}

// Mknodat makes a file of some sort.
func (h *Host) Mknodat(dir int32, path []byte, mode, dev uint32) int32 {
	if mode&sys.SIfmt == 0 {
		mode |= unix.S_IFREG
	}
	if mode&sys.SIfmt == sys.SIfdir {
		return -sys.EPERM
	}
	return h.make(dir, path, false, func() *inode {
		n := h.newInode(mode & (sys.SIfmt | 0o7777))
		n.rdev = dev
		return n
	})
}

// symlinkat makes a symbolic link.
func (h *Host) symlinkat(target []byte, dir int32, path []byte) int32 {
	if text(target) == "" {
		return -sys.ENOENT
	}
	return h.make(dir, path, false, func() *inode {
		n := h.newInode(sys.SIflnk | 0o777)
		n.target = text(target)
		return n
	})
}

// makeSocketFile makes the file of a Unix socket's name.
func (h *Host) makeSocketFile(name string) (*inode, int32) {
	var made *inode
	res := h.make(sys.AtFdcwd, []byte(name), false, func() *inode {
		made = h.newInode(sys.SIfsock | 0o777)
		return made
	})
	if res == -sys.EEXIST {
		res = -sys.EADDRINUSE
	}
	return made, res
}

// socketFile is the name that a socket's file stands for.
func (h *Host) socketFile(name string) (*unixName, int32) {
	n, res := h.node(sys.AtFdcwd, []byte(name), 0, true)
	if res < 0 {
		return nil, res
	}
	return n.name, 0
}

// linkat gives a file another name.
func (h *Host) linkat(dir int32, path []byte, toDir int32, to []byte, flags uint32) int32 {
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkFollow != 0)
	switch {
	case res < 0:
		return res
	case n.isDir():
		if res := h.make(toDir, to, false, nil); res < 0 {
			return res
		}
		return -sys.EPERM
	}
	return h.make(toDir, to, false, func() *inode {
		n.nlink++
		n.ctime = h.w.Now()
		return n
	})
}

// Unlinkat removes a name.
func (h *Host) Unlinkat(dir int32, path []byte, flags uint32) int32 {
	p, res := h.lookup(dir, path, walk{parent: true})
	rmdir := flags&sys.AtRemovedir != 0
	switch { // in the kernel's order
	case res < 0:
		return res
	case rmdir && p.name == ".":
		return -sys.EINVAL
	case rmdir && p.name == "..":
		return -sys.ENOTEMPTY
	case !rmdir && (p.name == "." || p.name == ".."):
		return -sys.EISDIR
	case p.is == nil:
		return -sys.ENOENT
	case rmdir && !p.is.isDir(), !rmdir && p.dirs && !p.is.isDir():
		return -sys.ENOTDIR
	case !rmdir && p.is.isDir():
		return -sys.EISDIR
	case p.is == h.root:
		return -sys.EBUSY
	case rmdir && len(p.is.entries) > 0:
		return -sys.ENOTEMPTY
	}
	h.change(func() { h.forget(p.dir, p.name, p.is) })
	return 0
}

// forget takes a name from what has it.
func (h *Host) forget(dir *inode, name string, n *inode) {
	dir.unlink(name)
	if n.nlink--; n.isDir() {
		n.nlink = 0
	}
	if n.nlink == 0 && n.opens == 0 {
		n.free()
	}
	n.ctime = h.w.Now()
}

// renameat gives a file another name in place of this one.
func (h *Host) renameat(dir int32, path []byte, toDir int32, to []byte, flags uint32) int32 {
	if flags&^(sys.RenameNoreplace|sys.RenameExchange) != 0 || flags == sys.RenameNoreplace|sys.RenameExchange {
		return -sys.EINVAL
	}
	a, res := h.lookup(dir, path, walk{parent: true})
	if res < 0 {
		return res
	}
	b, res := h.lookup(toDir, to, walk{parent: true})
	dot := func(p place) bool { return p.name == "." || p.name == ".." }
	isDir := func(p place) bool { return p.is != nil && p.is.isDir() }
	exchange := flags == sys.RenameExchange
	switch { // in the kernel's order
	case res < 0:
		return res
	case dot(b) && !dot(a) && flags == sys.RenameNoreplace:
		return -sys.EEXIST
	case dot(a) || dot(b):
		return -sys.EBUSY
	case a.is == nil, exchange && b.is == nil:
		return -sys.ENOENT
	case flags == sys.RenameNoreplace && b.is != nil:
		return -sys.EEXIST
	case exchange && !isDir(b) && b.dirs, !isDir(a) && (a.dirs || !exchange && b.dirs):
		return -sys.ENOTDIR
	case isDir(a) && b.dir.within(a.is), exchange && isDir(b) && a.dir.within(b.is):
		return -sys.EINVAL
	case isDir(b) && a.dir.within(b.is):
		return -sys.ENOTEMPTY
	case a.is == b.is:
		return 0
	}
	if b.is != nil && !exchange {
		switch {
		case isDir(a) && !isDir(b):
			return -sys.ENOTDIR
		case !isDir(a) && isDir(b):
			return -sys.EISDIR
		case len(b.is.entries) > 0:
			return -sys.ENOTEMPTY
		}
	}
	h.change(func() {
		switch {
		case exchange:
			a.dir.unlink(a.name)
			b.dir.unlink(b.name)
			a.dir.link(a.name, b.is)
		case b.is != nil:
			h.forget(b.dir, b.name, b.is)
			a.dir.unlink(a.name)
		default:
			a.dir.unlink(a.name)
		}
		b.dir.link(b.name, a.is)
		a.is.ctime = h.w.Now()
	})
	return 0
}

// within reports whether a directory is another, or below it.
func (n *inode) within(d *inode) bool {
	for ; n != d; n = n.parent {
		if n.parent == n {
			return false
		}
	}
	return true
}

// Readlinkat is what a link leads to.
func (h *Host) Readlinkat(dir int32, path, p []byte) int32 {
	n, res := h.node(dir, path, sys.AtEmptyPath, false)
	switch {
	case res < 0:
		return res
	case n.mode&sys.SIfmt != sys.SIflnk, len(p) == 0:
		return -sys.EINVAL
	}
	return int32(copy(p, n.target))
}

func (n *inode) chmod(mode uint32) int32 {
	n.mode = n.mode&sys.SIfmt | mode&0o7777
	n.ctime = n.h.w.Now()
	return 0
}

// Fchmod sets the mode.
func (h *Host) Fchmod(fd int32, mode uint32) int32 {
	f, _, res := find[*file](h, fd, sys.EINVAL)
	if res < 0 {
		return res
	}
	return f.chmod(mode)
}

// Fchmodat sets the mode.
func (h *Host) Fchmodat(dir int32, path []byte, mode, flags uint32) int32 {
	n, res := h.node(dir, path, flags, true)
	if res < 0 {
		return res
	}
	return n.chmod(mode)
}

// Faccessat says whether who runs may do with a file what mode asks for. That is root, who may all, but execute only
// what anybody may.
func (h *Host) Faccessat(dir int32, path []byte, mode, flags uint32) int32 {
	if mode > 7 || flags&^(sys.AtEaccess|sys.AtSymlinkNofollow|sys.AtEmptyPath) != 0 {
		return -sys.EINVAL
	}
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	switch {
	case res < 0:
		return res
	case mode&1 != 0 && !n.isDir() && n.mode&0o111 == 0:
		return -sys.EACCES
	}
	return 0
}

// Fchownat sets owner and group.
func (h *Host) Fchownat(dir int32, path []byte, uid, gid, flags uint32) int32 {
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	if uid != ^uint32(0) {
		n.uid = uid
	}
	if gid != ^uint32(0) {
		n.gid = gid
	}
	n.ctime = h.w.Now()
	return 0
}

// Utimensat sets times.
func (h *Host) Utimensat(dir int32, path []byte, times *sys.TimePair, flags uint32) int32 {
	if text(path) == "" {
		flags |= sys.AtEmptyPath
	}
	n, res := h.node(dir, path, flags, flags&sys.AtSymlinkNofollow == 0)
	if res < 0 {
		return res
	}
	for i, at := range []*int64{&n.atime, &n.mtime} {
		if t := times[i]; t.Nsec != sys.UtimeOmit {
			*at = unstamp(t.Sec, t.Nsec)
		}
	}
	n.ctime = h.w.Now()
	return 0
}

// Truncate sets the length.
func (h *Host) Truncate(path []byte, size int64) int32 {
	n, res := h.node(sys.AtFdcwd, path, 0, true)
	switch {
	case res < 0:
		return res
	case n.isDir():
		return -sys.EISDIR
	case size < 0, n.mode&sys.SIfmt != unix.S_IFREG:
		return -sys.EINVAL
	case size > fileMax:
		return -int32(unix.EFBIG)
	}
	n.resize(size)
	return 0
}

// Fchdir changes the working directory.
func (h *Host) Fchdir(fd int32) int32 {
	f, _, res := find[*file](h, fd, sys.ENOTDIR)
	switch {
	case res < 0:
		return res
	case !f.isDir():
		return -sys.ENOTDIR
	}
	h.cwd = f.inode
	return 0
}

// Getdents gives the next entries of a directory: a position is the number of the last entry that was given, behind
// the two of every directory.
func (h *Host) Getdents(fd int32, p []byte) int32 {
	f, _, res := find[*file](h, fd, sys.ENOTDIR)
	switch {
	case res < 0:
		return res
	case !f.isDir():
		return -sys.ENOTDIR
	}
	all := append([]entry{{".", -1, f.inode}, {"..", 0, f.parent}}, f.entries...)
	var b []byte
	for _, e := range all {
		if e.cookie+2 <= f.at {
			continue
		}
		n := (19 + len(e.name) + 1 + 7) &^ 7
		if len(b)+n > len(p) {
			if len(b) == 0 {
				return -sys.EINVAL
			}
			break
		}
		b = binary.NativeEndian.AppendUint64(b, e.ino)
		b = binary.NativeEndian.AppendUint64(b, uint64(e.cookie+2))
		b = binary.NativeEndian.AppendUint16(b, uint16(n))
		b = append(b, byte(e.mode>>12))
		b = append(b, e.name...)
		b = append(b, make([]byte, n-19-len(e.name))...)
		f.at = e.cookie + 2
	}
	return int32(copy(p, b))
}

// attrOf is where an attribute is; -1: there is none.
func (n *inode) attrOf(name string) int {
	return slices.IndexFunc(n.attrs, func(a attr) bool { return a.name == name })
}

// Fgetxattr is an attribute.
func (h *Host) Fgetxattr(fd int32, name, p []byte) int32 {
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	i := f.attrOf(text(name))
	switch {
	case i < 0:
		return -sys.ENODATA
	case len(p) == 0:
		return int32(len(f.attrs[i].value))
	case len(p) < len(f.attrs[i].value):
		return -sys.ERANGE
	}
	return int32(copy(p, f.attrs[i].value))
}

// Fsetxattr sets one.
func (h *Host) Fsetxattr(fd int32, name, p []byte, flags int) int32 {
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	i := f.attrOf(text(name))
	switch {
	case !strings.Contains(text(name), "."):
		return -sys.EOPNOTSUPP
	case i >= 0 && flags&unix.XATTR_CREATE != 0:
		return -sys.EEXIST
	case i < 0 && flags&unix.XATTR_REPLACE != 0:
		return -sys.ENODATA
	case i >= 0:
		f.attrs[i].value = slices.Clone(p)
	default:
		f.attrs = append(f.attrs, attr{text(name), slices.Clone(p)})
	}
	f.ctime = h.w.Now()
	return 0
}

// Flistxattr is the names of all.
func (h *Host) Flistxattr(fd int32, p []byte) int32 {
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	var all []byte
	for _, a := range f.attrs {
		all = append(append(all, a.name...), 0)
	}
	switch {
	case len(p) == 0:
		return int32(len(all))
	case len(p) < len(all):
		return -sys.ERANGE
	}
	return int32(copy(p, all))
}

// Fremovexattr removes one.
func (h *Host) Fremovexattr(fd int32, name []byte) int32 {
	f, _, res := find[*file](h, fd, sys.EBADF)
	if res < 0 {
		return res
	}
	i := f.attrOf(text(name))
	if i < 0 {
		return -sys.ENODATA
	}
	f.attrs = slices.Delete(f.attrs, i, i+1)
	f.ctime = h.w.Now()
	return 0
}
