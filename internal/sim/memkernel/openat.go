package memkernel

import (
	"ringo/internal/sys"
)

// Openat2 opens or makes a file.
func (h *Host) Openat2(dir int32, path []byte, how *sys.OpenHow) int32 {
	h.looksUp()
	flags := int32(how.Flags)
	w := walk{follow: flags&sys.ONofollow == 0 && flags&(sys.OCreat|sys.OExcl) != sys.OCreat|sys.OExcl,
		parent:  flags&sys.OCreat != 0,
		beneath: how.Resolve&sys.ResolveBeneath != 0, nolinks: how.Resolve&sys.ResolveNoSymlinks != 0}
	if how.Resolve&^(sys.ResolveBeneath|sys.ResolveNoMagiclinks|sys.ResolveCached|sys.ResolveNoSymlinks) != 0 ||
		how.Mode != 0 && flags&(sys.OCreat|sys.OTmpfile) == 0 {
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
	case p.dirs && flags&sys.OCreat != 0 && flags&sys.OTmpfile != sys.OTmpfile:
		return -sys.EISDIR
	case flags&sys.OTmpfile == sys.OTmpfile:
		if n == nil {
			return -sys.ENOENT
		}
		if !n.isDir() {
			return -sys.ENOTDIR
		}
		if !write {
			return -sys.EINVAL
		}
		n = h.newInode(sys.SIfreg | uint32(how.Mode)&0o7777&^h.Umask)
		n.nlink = 0
	case n == nil && flags&sys.OCreat == 0:
		return -sys.ENOENT
	case n == nil:
		if p.dir.nlink == 0 {
			return -sys.ENOENT
		}
		n = h.newInode(sys.SIfreg | uint32(how.Mode)&0o7777&^h.Umask)
		h.change(func() { p.dir.link(p.name, n) })
	case flags&(sys.OCreat|sys.OExcl) == sys.OCreat|sys.OExcl:
		return -sys.EEXIST
	case n.mode&sys.SIfmt == sys.SIflnk && flags&sys.OPath == 0:
		return -sys.ELOOP
	case n.isDir() && (write || flags&sys.OCreat != 0):
		return -sys.EISDIR
	case flags&sys.ODirectory != 0 && !n.isDir():
		return -sys.ENOTDIR
	case n.mode&sys.SIfmt == sys.SIfsock && flags&sys.OPath == 0:
		return -int32(sys.ENXIO)
	}
	if flags&sys.OTrunc != 0 && n.mode&sys.SIfmt == sys.SIfreg && flags&sys.OPath == 0 {
		n.resize(0)
	}
	if n.mode&sys.SIfmt == sys.SIfifo && flags&sys.OPath == 0 {
		return h.openFifo(n, flags)
	}
	n.opens++
	f := &file{inode: n}
	const once = sys.OCreat | sys.OExcl | sys.OTrunc | sys.OCloexec | sys.ONoctty
	f.o = &openFile{refs: 1, flags: flags &^ once, object: f}
	return h.give(f.o, flags&sys.OCloexec != 0)
}

// openFifo opens an end, if the other end is open or not needed.
func (h *Host) openFifo(n *inode, flags int32) int32 {
	if n.fifo == nil {
		n.fifo = &pipe{max: pipeSize}
	}
	p := n.fifo
	switch flags & sys.OAccmode {
	case 0:
		if p.writers == 0 && flags&sys.ONonblock == 0 {
			return -sys.EOPNOTSUPP // a world can't wait for the other end
		}
		p.readers++
		return h.made(readEnd{p}, flags&^sys.OCloexec, flags&sys.OCloexec != 0)
	case sys.OWronly:
		if p.readers == 0 {
			if flags&sys.ONonblock == 0 {
				return -sys.EOPNOTSUPP // a world can't wait for the other end
			}
			return -int32(sys.ENXIO)
		}
		p.writers++
		return h.made(writeEnd{p}, flags&^sys.OCloexec, flags&sys.OCloexec != 0)
	}
	return h.made(newBothEnds(p), flags&^sys.OCloexec, flags&sys.OCloexec != 0)
}
