//go:build linux

package memkernel

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ringo/internal/sys"
)

// inode is a file of any sort.
type inode struct {
	h        *Host
	ino      uint64
	mode     uint32 // with the sort
	uid, gid uint32
	nlink    uint32
	rdev     uint32
	size     int64
	pages    map[int64]*page
	platter  platter // what a crash leaves of it
	target   string  // of a symbolic link

	entries []entry // of a directory, in the order in which they were made
	cookie  int64   // of the last of them
	parent  *inode  // of a directory

	atime, mtime, ctime, btime int64
	attrs                      []attr
	locks                      []lock
	fifo                       *pipe
	name                       *unixName // of a socket's file
	opens                      int
}

const pageSize = 4096

type page [pageSize]byte

type entry struct {
	name   string
	cookie int64
	*inode
}

type attr struct {
	name  string
	value []byte
}

// lock is one of an open file, on bytes from..to.
type lock struct {
	owner    *openFile
	from, to int64
	write    bool
}

// file is an open inode.
type file struct {
	watchList
	*inode
	at int64 // the position
	o  *openFile
}

// magic is the type of the file system: that of ext4, which most programs meet.
const magic = 0xef53

func (h *Host) newInode(mode uint32) *inode {
	h.inos++
	now := h.w.Now()
	n := &inode{h: h, ino: h.inos, mode: mode, nlink: 1, atime: now, mtime: now, ctime: now, btime: now}
	switch mode & sys.SIfmt {
	case sys.SIfdir:
		n.nlink, n.parent = 2, n
	case unix.S_IFREG:
		n.pages = map[int64]*page{}
	}
	return n
}

// newDisk makes an empty file system, with the directories that programs expect.
func (h *Host) newDisk() {
	h.root = h.newInode(sys.SIfdir | 0o755)
	h.cwd = h.root
	for _, name := range []string{"tmp", "data"} {
		d := h.newInode(sys.SIfdir | 0o777)
		h.root.link(name, d)
	}
	h.syncNames(h.root)
}

func (n *inode) isDir() bool { return n.mode&sys.SIfmt == sys.SIfdir }

// find is the entry of a name; nil: there is none.
func (n *inode) find(name string) *inode {
	switch name {
	case ".":
		return n
	case "..":
		return n.parent
	}
	if i := n.index(name); i >= 0 {
		return n.entries[i].inode
	}
	return nil
}

func (n *inode) index(name string) int {
	return slices.IndexFunc(n.entries, func(e entry) bool { return e.name == name })
}

// link adds an entry.
func (n *inode) link(name string, x *inode) {
	n.cookie++
	n.entries = append(n.entries, entry{name, n.cookie, x})
	n.h.noteName(n, name, x, false)
	if x.isDir() {
		x.parent = n
		n.nlink++
	}
	n.changed()
}

// unlink takes an entry away.
func (n *inode) unlink(name string) {
	i := n.index(name)
	x := n.entries[i].inode
	n.entries = slices.Delete(n.entries, i, i+1)
	n.h.noteName(n, name, x, true)
	if x.isDir() {
		n.nlink--
	}
	n.changed()
}

// changed notes that the content has.
func (n *inode) changed() {
	n.mtime = n.h.w.Now()
	n.ctime = n.mtime
}

// place is where a path leads: the directory, the last name in it, and what has that name.
type place struct {
	dir  *inode
	name string
	is   *inode // nil: nothing
	dirs bool   // the path ends with a slash: it must be a directory
}

// walk is how a path is followed.
type walk struct {
	follow bool // also a link at the end
	parent bool // the end is a name to make or to take away: no link there is followed, whatever slash comes behind
	beneath,
	nolinks bool
	from  *inode // for beneath
	links int
}

const linksMax = 40

// from is the directory that a path starts from.
func (h *Host) from(dir int32, path string) (*inode, int32) {
	if strings.HasPrefix(path, "/") {
		return h.root, 0
	}
	if dir == sys.AtFdcwd {
		return h.cwd, 0
	}
	o := h.at(dir)
	if o == nil {
		return nil, -sys.EBADF
	}
	f, ok := o.object.(*file)
	if !ok || !f.isDir() {
		return nil, -sys.ENOTDIR
	}
	return f.inode, 0
}

// text is a path without the NUL at its end.
func text(path []byte) string {
	if i := slices.Index(path, 0); i >= 0 {
		path = path[:i]
	}
	return string(path)
}

// lookup follows a path.
func (h *Host) lookup(dir int32, path []byte, w walk) (place, int32) {
	name := text(path)
	if name == "" {
		return place{}, -sys.ENOENT
	}
	if len(name) >= unix.PathMax {
		return place{}, -sys.ENAMETOOLONG
	}
	at, res := h.from(dir, name)
	if w.beneath && strings.HasPrefix(name, "/") {
		if dir != sys.AtFdcwd && h.at(dir) == nil {
			return place{}, -sys.EBADF
		}
		return place{}, -sys.EXDEV
	}
	if res < 0 {
		return place{}, res
	}
	w.from = at
	return h.steps(at, name, &w)
}

func (h *Host) steps(at *inode, path string, w *walk) (place, int32) {
	p := place{dir: at, name: ".", is: at}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		last := true
		for _, rest := range parts[i+1:] {
			last = last && rest == ""
		}
		if part == "" {
			p.dirs = p.dirs || i > 0 && i == len(parts)-1
			continue
		}
		if p.is == nil {
			return p, -sys.ENOENT
		}
		if !p.is.isDir() {
			return p, -sys.ENOTDIR
		}
		if len(part) > 255 {
			return p, -sys.ENAMETOOLONG
		}
		if part == ".." && w.beneath && p.is == w.from {
			return p, -sys.EXDEV
		}
		d := p.is
		p = place{dir: d, name: part, is: d.find(part)}
		if p.is != nil && p.is.mode&sys.SIfmt == sys.SIflnk && (!last || w.follow ||
			parts[len(parts)-1] == "" && !w.parent) {
			if w.links++; w.links > linksMax || w.nolinks {
				return p, -sys.ELOOP
			}
			target := p.is.target
			from := d
			if strings.HasPrefix(target, "/") {
				if w.beneath {
					return p, -sys.EXDEV
				}
				from = h.root
			}
			inner := *w
			inner.follow = true
			q, res := h.steps(from, target, &inner)
			w.links = inner.links
			if res < 0 {
				return q, res
			}
			p = q
		}
	}
	if p.dirs && p.is != nil && !p.is.isDir() && !w.parent {
		return p, -sys.ENOTDIR
	}
	return p, 0
}

// Openat2 opens or makes a file.
func (h *Host) Openat2(dir int32, path []byte, how *sys.OpenHow) int32 {
	flags := int32(how.Flags)
	w := walk{follow: flags&unix.O_NOFOLLOW == 0 && flags&(unix.O_CREAT|unix.O_EXCL) != unix.O_CREAT|unix.O_EXCL,
		parent:  flags&unix.O_CREAT != 0,
		beneath: how.Resolve&sys.ResolveBeneath != 0, nolinks: how.Resolve&unix.RESOLVE_NO_SYMLINKS != 0}
	if how.Resolve&^(sys.ResolveBeneath|sys.ResolveNoMagiclinks|sys.ResolveCached|unix.RESOLVE_NO_SYMLINKS) != 0 ||
		how.Mode != 0 && flags&(unix.O_CREAT|unix.O_TMPFILE) == 0 {
		return -sys.EINVAL
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
		n = h.newInode(unix.S_IFREG | uint32(how.Mode)&0o7777)
		n.nlink = 0
	case n == nil && flags&unix.O_CREAT == 0:
		return -sys.ENOENT
	case n == nil:
		if p.dir.nlink == 0 {
			return -sys.ENOENT
		}
		n = h.newInode(unix.S_IFREG | uint32(how.Mode)&0o7777)
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
	fd := h.give(f.o, flags&unix.O_CLOEXEC != 0)
	if fd < 0 {
		f.released()
	}
	return fd
}

// openFifo opens an end, if the other is open or need not be.
func (h *Host) openFifo(n *inode, flags int32) int32 {
	if n.fifo == nil {
		n.fifo = &pipe{max: pipeSize}
	}
	p := n.fifo
	switch flags & sys.OAccmode {
	case 0:
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
	return -sys.EOPNOTSUPP
}

func (f *file) ready() uint32 { return sys.PollIn | sys.PollOut }

func (f *file) released() {
	if f.opens--; f.opens == 0 && f.nlink == 0 {
		f.free()
	}
	f.locks = slices.DeleteFunc(f.locks, func(l lock) bool { return l.owner == f.o })
}

// fileAt is a descriptor's open file.
func (h *Host) fileAt(fd int32) (*file, int32) {
	f, _, res := find[*file](h, fd, int32(unix.ESPIPE))
	return f, res
}

// readFrom copies from an offset, zeros where nothing was written.
func (n *inode) readFrom(p []byte, off int64) int {
	if off >= n.size {
		return 0
	}
	p = p[:min(int64(len(p)), n.size-off)]
	done := 0
	for done < len(p) {
		at := off + int64(done)
		part := p[done:min(len(p), done+int(pageSize-at%pageSize))]
		if pg := n.pages[at/pageSize]; pg != nil {
			copy(part, pg[at%pageSize:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return done
}

// writeTo copies to an offset, as much as the disk has room for.
func (n *inode) writeTo(p []byte, off int64) (done int) {
	for done < len(p) {
		at := off + int64(done)
		pg := n.pages[at/pageSize]
		if pg == nil {
			if n.h.used >= n.h.Capacity/pageSize && n.h.Capacity > 0 {
				break
			}
			pg = new(page)
			n.pages[at/pageSize] = pg
			n.h.used++
		}
		n.soil(at / pageSize)
		done += copy(pg[at%pageSize:], p[done:])
	}
	if done > 0 {
		n.size = max(n.size, off+int64(done))
		n.changed()
	}
	return done
}

// drop takes a page away.
func (n *inode) drop(at int64) {
	if n.pages[at] != nil {
		delete(n.pages, at)
		n.h.used--
		n.soil(at)
	}
}

// resize makes it so many bytes long.
func (n *inode) resize(size int64) {
	if size < n.size {
		for _, at := range slices.Sorted(maps.Keys(n.pages)) {
			if at*pageSize >= size {
				n.drop(at)
			}
		}
		if pg := n.pages[size/pageSize]; pg != nil {
			clear(pg[size%pageSize:])
			n.soil(size / pageSize)
		}
	}
	n.size = size
	n.changed()
}

// fileMax is the longest file.
const fileMax = 1 << 43

// read reads into slices, at an offset or at the position.
func (f *file) read(bufs [][]byte, off int64) int32 {
	switch {
	case f.isDir():
		return -sys.EISDIR
	case f.o.flags&sys.OAccmode == sys.OWronly, f.o.flags&unix.O_PATH != 0:
		return -sys.EBADF
	}
	at := off
	if off < 0 {
		at = f.at
	}
	n := 0
	for _, b := range bufs {
		m := f.readFrom(b, at+int64(n))
		if n += m; m < len(b) {
			break
		}
	}
	if off < 0 {
		f.at += int64(n)
	}
	f.atime = f.h.w.Now()
	return int32(n)
}

// write writes slices, at an offset, at the position or at the end.
func (f *file) write(bufs [][]byte, off int64) int32 {
	if f.o.flags&sys.OAccmode == 0 || f.o.flags&unix.O_PATH != 0 {
		return -sys.EBADF
	}
	at := off
	if off < 0 {
		at = f.at
	}
	if f.o.flags&sys.OAppend != 0 {
		at = f.size
	}
	n := 0
	if at+int64(size(bufs)) > fileMax {
		return -int32(unix.EFBIG)
	}
	for _, b := range bufs {
		done := f.writeTo(b, at+int64(n))
		if n += done; done < len(b) {
			break
		}
	}
	if n == 0 && size(bufs) > 0 {
		return -sys.ENOSPC
	}
	if off < 0 {
		f.at = at + int64(n)
	}
	if f.o.flags&unix.O_DSYNC != 0 { // which O_SYNC has as well
		f.sync()
	}
	return int32(n)
}

// Lseek moves the position.
func (h *Host) Lseek(fd int32, off int64, whence int) (at int64, res int32) {
	f, res := h.fileAt(fd)
	if res < 0 {
		return 0, res
	}
	switch whence {
	case unix.SEEK_SET:
		at = off
	case sys.SeekCur:
		at = f.at + off
	case unix.SEEK_END:
		at = f.size + off
	case sys.SeekData, sys.SeekHole:
		if off < 0 || off >= f.size {
			return 0, -int32(unix.ENXIO)
		}
		for at = off; at < f.size; at = (at/pageSize + 1) * pageSize {
			if (f.pages[at/pageSize] != nil) == (whence == sys.SeekData) {
				break
			}
		}
		if at >= f.size {
			if whence == sys.SeekData {
				return 0, -int32(unix.ENXIO)
			}
			at = f.size
		}
	default:
		return 0, -sys.EINVAL
	}
	if at < 0 {
		return 0, -sys.EINVAL
	}
	f.at = at
	return at, 0
}

// Resident is whether bytes are in memory: all that were written are.
func (h *Host) Resident(fd int32, off, n int64) int32 {
	f, res := h.fileAt(fd)
	if res < 0 {
		return res
	}
	for at := off; at < off+n; at = (at/pageSize + 1) * pageSize {
		if f.pages[at/pageSize] == nil {
			return 0
		}
	}
	return 1
}

// SyncRange has a range written.
func (h *Host) SyncRange(fd int32, off, n int64, flags int) int32 {
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	switch _, res := h.fileAt(fd); {
	case res < 0:
		return res
	case flags&^all != 0, off < 0, n < 0:
		return -sys.EINVAL
	}
	return 0
}

// Advise is taken note of.
func (h *Host) Advise(fd int32, _, _ int64, advice int) int32 {
	switch _, res := h.fileAt(fd); {
	case res < 0:
		return res
	case advice < unix.FADV_NORMAL || advice > unix.FADV_NOREUSE:
		return -sys.EINVAL
	}
	return 0
}

// diskBlocks is how large a host's disk says that it is: 1 TiB.
const diskBlocks = 1 << 28

func (h *Host) statfs(st *sys.Statfs) {
	*st = sys.Statfs{Type: magic, BlockSize: pageSize, NameMax: 255,
		Blocks: diskBlocks, BlocksFree: diskBlocks, BlocksUsable: diskBlocks, Files: 1 << 32, FilesFree: 1<<32 - h.inos}
}

// Fstatfs is what is known of a descriptor's file system.
func (h *Host) Fstatfs(fd int32, st *sys.Statfs) int32 {
	if h.at(fd) == nil {
		return -sys.EBADF
	}
	h.statfs(st)
	return 0
}

// Statfs is what is known of a name's.
func (h *Host) Statfs(path []byte, st *sys.Statfs) int32 {
	if _, res := h.node(sys.AtFdcwd, path, 0, true); res < 0 {
		return res
	}
	h.statfs(st)
	return 0
}

// allocate is fallocate(2).
func (f *file) allocate(mode uint32, off, n int64) int32 {
	const known = unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_ZERO_RANGE
	switch {
	case f.o.flags&sys.OAccmode == 0:
		return -sys.EBADF
	case off < 0 || n <= 0:
		return -sys.EINVAL
	case mode&^known != 0, mode&unix.FALLOC_FL_PUNCH_HOLE != 0 && mode&unix.FALLOC_FL_KEEP_SIZE == 0:
		return -sys.EOPNOTSUPP
	case off+n > fileMax:
		return -int32(unix.EFBIG)
	}
	if mode&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0 {
		for at := off; at < min(off+n, f.size); at = (at/pageSize + 1) * pageSize {
			pg := f.pages[at/pageSize]
			from, to := at%pageSize, min(pageSize, off+n-at/pageSize*pageSize)
			switch {
			case pg == nil:
			case from == 0 && to == pageSize:
				f.drop(at / pageSize)
			default:
				clear(pg[from:to])
				f.soil(at / pageSize)
			}
		}
	}
	if mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		f.size = max(f.size, off+n)
	}
	f.changed()
	return 0
}

// truncate is ftruncate(2).
func (f *file) truncate(size int64) int32 {
	switch {
	case f.o.flags&sys.OAccmode == 0, size < 0, f.mode&sys.SIfmt != unix.S_IFREG:
		return -sys.EINVAL
	case size > fileMax:
		return -int32(unix.EFBIG)
	}
	f.resize(size)
	return 0
}

// CopyRange copies between positions.
func (h *Host) CopyRange(out, in int32, n int) int32 {
	o, res := h.fileAt(out)
	if res < 0 {
		return res
	}
	i, res := h.fileAt(in)
	if res < 0 {
		return res
	}
	p := make([]byte, max(0, min(int64(n), i.size-i.at)))
	if got := i.read([][]byte{p}, -1); got <= 0 {
		return got
	}
	return o.write([][]byte{p}, -1)
}

// Clone is not offered, as on most file systems.
func (h *Host) Clone(out, in int32) int32 {
	if _, res := h.fileAt(out); res < 0 {
		return res
	}
	if _, res := h.fileAt(in); res < 0 {
		return res
	}
	return -sys.EOPNOTSUPP
}

// Lock sets or removes a lock of the open file.
func (h *Host) Lock(fd int32, kind int16, off, n int64) int32 {
	f, res := h.fileAt(fd)
	switch {
	case res < 0:
		return res
	case off < 0 || n < 0:
		return -sys.EINVAL
	case kind == sys.FWrlck && f.o.flags&sys.OAccmode == 0, kind == sys.FRdlck && f.o.flags&sys.OAccmode == sys.OWronly:
		return -sys.EBADF
	}
	to := off + n
	if n == 0 {
		to = 1<<63 - 1
	}
	if kind != sys.FUnlck {
		for _, l := range f.locks {
			if l.owner != f.o && l.from < to && off < l.to && (l.write || kind == sys.FWrlck) {
				return -sys.EAGAIN
			}
		}
	}
	var kept []lock
	for _, l := range f.locks {
		if l.owner != f.o || l.to <= off || to <= l.from {
			kept = append(kept, l)
			continue
		}
		if l.from < off {
			kept = append(kept, lock{l.owner, l.from, off, l.write})
		}
		if to < l.to {
			kept = append(kept, lock{l.owner, to, l.to, l.write})
		}
	}
	if kind != sys.FUnlck {
		kept = append(kept, lock{f.o, off, to, kind == sys.FWrlck})
	}
	f.locks = kept
	return 0
}
