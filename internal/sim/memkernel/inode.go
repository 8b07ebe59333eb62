package memkernel

import (
	"slices"

	"ringo/internal/sys"
)

// inode is a file of any type.
type inode struct {
	h        *Host
	ino      uint64
	mode     uint32 // including the type
	uid, gid uint32
	nlink    uint32
	rdev     uint32
	size     int64
	pages    map[int64]*page
	reserved extents        // pages that were allocated but not written
	bad      map[int64]bool // sectors that can't be read
	platter  platter        // what a crash would leave of it
	cut      bool           // it is in Host.cuts
	target   string         // of a symbolic link

	entries entries // of a directory
	cookie  int64   // the cookie of the last entry
	parent  *inode  // of a directory

	atime, mtime, ctime, btime sys.StatxTime
	attrs                      []attr
	locks                      []lock
	fifo                       *pipe
	name                       *unixName // for the file of a socket
	opens                      int
}

type attr struct {
	name  string
	value []byte
}

// facts are an inode's metadata, without its size and times.
type facts struct {
	mode, uid, gid uint32
	attrs          []attr
}

func (n *inode) facts() facts { return facts{n.mode, n.uid, n.gid, slices.Clone(n.attrs)} }

func (f facts) equal(o facts) bool {
	same := func(a, b attr) bool { return a.name == b.name && string(a.value) == string(b.value) }
	return f.mode == o.mode && f.uid == o.uid && f.gid == o.gid && slices.EqualFunc(f.attrs, o.attrs, same)
}

func (h *Host) newInode(mode uint32) *inode {
	h.inos++
	now := h.wall()
	n := &inode{h: h, ino: h.inos, mode: mode, nlink: 1, atime: now, mtime: now, ctime: now, btime: now}
	n.platter.facts = n.facts()
	switch mode & sys.SIfmt {
	case sys.SIfdir:
		n.nlink, n.parent = 2, n
	case sys.SIfreg:
		n.pages = map[int64]*page{}
	}
	return n
}

func (n *inode) isDir() bool { return n.mode&sys.SIfmt == sys.SIfdir }

// find returns the inode with a name; nil if there is none.
func (n *inode) find(name string) *inode {
	switch name {
	case ".":
		return n
	case "..":
		return n.parent
	}
	return n.entries.find(name)
}

// link adds an entry.
func (n *inode) link(name string, x *inode) {
	n.cookie++
	n.entries.add(entry{name, n.cookie, x})
	n.h.noteName(n, name, x, false)
	if x.isDir() {
		x.parent = n
		n.nlink++
	}
	n.changed()
}

// unlink removes an entry.
func (n *inode) unlink(name string) {
	x := n.entries.remove(name)
	n.h.noteName(n, name, x, true)
	if x.isDir() {
		n.nlink--
	}
	n.changed()
}

// changed records that the content has changed.
func (n *inode) changed() {
	n.mtime = n.h.wall()
	n.ctime = n.mtime
}
