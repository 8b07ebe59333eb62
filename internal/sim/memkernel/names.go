package memkernel

import (
	"encoding/binary"

	"ringo/internal/sys"
)

// node returns the inode that a call is about: the open file itself for an empty name, if the call allows that.
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

// anonymous returns an inode for an open file that has no name, for statx.
func (h *Host) anonymous(o *openFile) *inode {
	mode := uint32(sys.SIfsock | 0o777)
	switch o.object.(type) {
	case readEnd, writeEnd:
		mode = sys.SIfifo | 0o600
	}
	return &inode{h: h, mode: mode, nlink: 1}
}

// mkdirat makes a directory.
func (h *Host) mkdirat(dir int32, path []byte, mode uint32) int32 {
	return h.make(dir, path, true, func() *inode { return h.newInode(sys.SIfdir | mode&0o1777&^h.Umask) })
}

// make makes a name that does not exist yet. Without fresh it only checks whether it could.
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

// Mknodat makes a file of the type in mode.
func (h *Host) Mknodat(dir int32, path []byte, mode, dev uint32) int32 {
	h.looksUp()
	if mode&sys.SIfmt == 0 {
		mode |= sys.SIfreg
	}
	if mode&sys.SIfmt == sys.SIfdir {
		return -sys.EPERM
	}
	return h.make(dir, path, false, func() *inode {
		n := h.newInode(mode & (sys.SIfmt | 0o7777) &^ h.Umask)
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
		made = h.newInode(sys.SIfsock | 0o777&^h.Umask)
		return made
	})
	if res == -sys.EEXIST {
		res = -sys.EADDRINUSE
	}
	return made, res
}

// socketFile returns the socket name that a file stands for.
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
		n.ctime = h.wall()
		return n
	})
}

// Unlinkat removes a name.
func (h *Host) Unlinkat(dir int32, path []byte, flags uint32) int32 {
	h.looksUp()
	p, res := h.lookup(dir, path, walk{parent: true})
	rmdir := flags&sys.AtRemovedir != 0
	switch { // checks are made in the kernel's order
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
	case rmdir && p.is.entries.len() > 0:
		return -sys.ENOTEMPTY
	}
	h.change(func() { h.forget(p.dir, p.name, p.is) })
	return 0
}

// forget removes a name from its directory.
func (h *Host) forget(dir *inode, name string, n *inode) {
	dir.unlink(name)
	if n.nlink--; n.isDir() {
		n.nlink = 0
	}
	if n.nlink == 0 && n.opens == 0 {
		n.free()
	}
	n.ctime = h.wall()
}

// renameat replaces a file's name by another one.
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
	switch { // checks are made in the kernel's order
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
		case b.is.entries.len() > 0:
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
		a.is.ctime = h.wall()
	})
	return 0
}

// within reports whether a directory is d, or below it.
func (n *inode) within(d *inode) bool {
	for ; n != d; n = n.parent {
		if n.parent == n {
			return false
		}
	}
	return true
}

// Readlinkat reads the target of a link into p.
func (h *Host) Readlinkat(dir int32, path, p []byte) int32 {
	h.looksUp()
	n, res := h.node(dir, path, sys.AtEmptyPath, false)
	switch {
	case res < 0:
		return res
	case n.mode&sys.SIfmt != sys.SIflnk, len(p) == 0:
		return -sys.EINVAL
	}
	return int32(copy(p, n.target))
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

// Getdents returns the next entries of a directory. A position is the cookie of the last entry that was returned,
// after "." and "..".
func (h *Host) Getdents(fd int32, p []byte) int32 {
	h.looksUp()
	f, _, res := find[*file](h, fd, sys.ENOTDIR)
	switch {
	case res < 0:
		return res
	case !f.isDir():
		return -sys.ENOTDIR
	}
	var b []byte
	room := true
	put := func(e entry) {
		n := (19 + len(e.name) + 1 + 7) &^ 7
		if !room || e.cookie+2 <= f.at {
			return
		}
		if room = len(b)+n <= len(p); !room {
			return
		}
		b = binary.NativeEndian.AppendUint64(b, e.ino)
		b = binary.NativeEndian.AppendUint64(b, uint64(e.cookie+2))
		b = binary.NativeEndian.AppendUint16(b, uint16(n))
		b = append(b, byte(e.mode>>12))
		b = append(b, e.name...)
		b = append(b, make([]byte, n-19-len(e.name))...)
		f.at = e.cookie + 2
	}
	put(entry{".", -1, f.inode})
	put(entry{"..", 0, f.parent})
	for e := range f.entries.behind(f.at - 2) {
		if put(e); !room {
			break
		}
	}
	if !room && len(b) == 0 {
		return -sys.EINVAL
	}
	return int32(copy(p, b))
}
