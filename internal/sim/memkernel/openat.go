//go:build linux

package memkernel

import (
	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// Openat2 opens or makes a file.
func (h *Host) Openat2(dir int32, path []byte, how *sys.OpenHow) int32 {
	h.looksUp()
	flags := int32(how.Flags)
	w := walk{follow: flags&unix.O_NOFOLLOW == 0 && flags&(unix.O_CREAT|unix.O_EXCL) != unix.O_CREAT|unix.O_EXCL,
		parent:  flags&unix.O_CREAT != 0,
		beneath: how.Resolve&sys.ResolveBeneath != 0, nolinks: how.Resolve&unix.RESOLVE_NO_SYMLINKS != 0}
	if how.Resolve&^(sys.ResolveBeneath|sys.ResolveNoMagiclinks|sys.ResolveCached|unix.RESOLVE_NO_SYMLINKS) != 0 ||
		how.Mode != 0 && flags&(unix.O_CREAT|unix.O_TMPFILE) == 0 {
		return -sys.EINVAL
	}
	if res := h.lacks(sys.ENOMEM); res < 0 {
		return res // before anything is made
	}
	p, res := h.lookup(dir, path, w)
	if res < 0 {
		return res
	}
	n := p.is
	write := flags&sys.OAccmode != 0
	switch {
	case p.dirs && flags&unix.O_CREAT != 0 && flags&unix.O_TMPFILE != unix.O_TMPFILE:
		return -sys.EISDIR
	case flags&unix.O_TMPFILE == unix.O_TMPFILE:
		if n == nil {
			return -sys.ENOENT
		}
		if !n.isDir() {
			return -sys.ENOTDIR
		}
		if !write {
			return -sys.EINVAL
		}
		n = h.newInode(unix.S_IFREG | uint32(how.Mode)&0o7777&^h.Umask)
		n.nlink = 0
	case n == nil && flags&unix.O_CREAT == 0:
		return -sys.ENOENT
	case n == nil:
		if p.dir.nlink == 0 {
			return -sys.ENOENT
		}
		n = h.newInode(unix.S_IFREG | uint32(how.Mode)&0o7777&^h.Umask)
		h.change(func() { p.dir.link(p.name, n) })
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		return -sys.EEXIST
	case n.mode&sys.SIfmt == sys.SIflnk && flags&unix.O_PATH == 0:
		return -sys.ELOOP
	case n.isDir() && (write || flags&unix.O_CREAT != 0):
		return -sys.EISDIR
	case flags&unix.O_DIRECTORY != 0 && !n.isDir():
		return -sys.ENOTDIR
	case n.mode&sys.SIfmt == sys.SIfsock && flags&unix.O_PATH == 0:
		return -int32(unix.ENXIO)
	}
	if flags&unix.O_TRUNC != 0 && n.mode&sys.SIfmt == unix.S_IFREG && flags&unix.O_PATH == 0 {
		n.resize(0)
	}
	if n.mode&sys.SIfmt == sys.SIfifo && flags&unix.O_PATH == 0 {
		return h.openFifo(n, flags)
	}
	n.opens++
	f := &file{inode: n}
	const once = unix.O_CREAT | unix.O_EXCL | unix.O_TRUNC | unix.O_CLOEXEC | unix.O_NOCTTY
	f.o = &openFile{refs: 1, flags: flags &^ once, object: f}
	return h.give(f.o, flags&unix.O_CLOEXEC != 0)
}

// openFifo opens an end, if the other is open or need not be.
func (h *Host) openFifo(n *inode, flags int32) int32 {
	if n.fifo == nil {
		n.fifo = &pipe{max: pipeSize}
	}
	p := n.fifo
	switch flags & sys.OAccmode {
	case 0:
		if p.writers == 0 && flags&sys.ONonblock == 0 {
			return -sys.EOPNOTSUPP // nobody could be waited for
		}
		p.readers++
		return h.made(readEnd{p}, flags&^unix.O_CLOEXEC, flags&unix.O_CLOEXEC != 0)
	case sys.OWronly:
		if p.readers == 0 {
			if flags&sys.ONonblock == 0 {
				return -sys.EOPNOTSUPP // nobody could be waited for
			}
			return -int32(unix.ENXIO)
		}
		p.writers++
		return h.made(writeEnd{p}, flags&^unix.O_CLOEXEC, flags&unix.O_CLOEXEC != 0)
	}
	return h.made(newBothEnds(p), flags&^unix.O_CLOEXEC, flags&unix.O_CLOEXEC != 0)
}
