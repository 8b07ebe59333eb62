package memkernel

import (
	"math"
	"slices"

	"ringo/internal/sys"
)

// file is an open inode.
type file struct {
	watchList
	*inode
	at int64 // the position
	o  *openFile
}

func (f *file) ready() uint32 { return sys.PollIn | sys.PollOut }

func (f *file) released() {
	if f.opens--; f.opens == 0 && f.nlink == 0 {
		f.free()
	}
	f.locks = slices.DeleteFunc(f.locks, func(l lock) bool { return l.owner == f.o })
}

// fileAt returns the open file of a descriptor.
func (h *Host) fileAt(fd int32) (*file, int32) {
	f, _, res := find[*file](h, fd, int32(sys.ESPIPE))
	return f, res
}

// beyond reports whether there is no number for the end of a range.
func beyond(off, n int64) bool { return n > math.MaxInt64-off }

// read reads into slices, at an offset or at the position.
func (f *file) read(bufs [][]byte, off int64) int32 {
	switch {
	case f.isDir():
		return -sys.EISDIR
	case f.o.flags&sys.OAccmode == sys.OWronly, f.o.flags&sys.OPath != 0:
		return -sys.EBADF
	}
	at := off
	if off < 0 {
		at = f.at
	}
	most := size(bufs)
	if beyond(at, int64(most)) {
		return -sys.EINVAL
	}
	can := f.readable(at, most)
	if can == 0 && most > 0 && at < f.size {
		return -sys.EIO
	}
	most = f.h.part(FileRead, min(most, can))
	n := 0
	for _, b := range bufs {
		b = b[:min(len(b), most-n)]
		m := f.readFrom(b, at+int64(n))
		if n += m; m < len(b) || n == most {
			break
		}
	}
	if off < 0 {
		f.at += int64(n)
	}
	f.atime = f.h.wall()
	return int32(n)
}

// write writes slices, at an offset, at the position or at the end.
func (f *file) write(bufs [][]byte, off int64) int32 {
	if f.o.flags&sys.OAccmode == 0 || f.o.flags&sys.OPath != 0 {
		return -sys.EBADF
	}
	at := off
	if off < 0 {
		at = f.at
	}
	if beyond(at, int64(size(bufs))) {
		return -sys.EINVAL
	}
	if f.o.flags&sys.OAppend != 0 {
		at = f.size
	}
	n := 0
	if at > fileMax-int64(size(bufs)) {
		return -int32(sys.EFBIG)
	}
	most := f.h.part(FileWrite, size(bufs))
	if f.torn(at, at+int64(most)) {
		return -sys.EIO
	}
	for _, b := range bufs {
		b = b[:min(len(b), most-n)]
		done := f.writeTo(b, at+int64(n))
		if n += done; done < len(b) || n == most {
			break
		}
	}
	if n == 0 && size(bufs) > 0 {
		return -f.h.full(1)
	}
	if f.syncs() {
		if res := f.syncWrite(at, at+int64(n)); res != 0 {
			return res
		}
	}
	if off < 0 {
		f.at = at + int64(n)
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
	case sys.SeekSet:
		at = off
	case sys.SeekCur:
		at = f.at + off
	case sys.SeekEnd:
		at = f.size + off
	case sys.SeekData, sys.SeekHole:
		if off < 0 || off >= f.size {
			return 0, -int32(sys.ENXIO)
		}
		for at = off; at < f.size; at = (at/pageSize + 1) * pageSize {
			if (f.pages[at/pageSize] != nil) == (whence == sys.SeekData) {
				break
			}
		}
		if at >= f.size {
			if whence == sys.SeekData {
				return 0, -int32(sys.ENXIO)
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

// allocate is fallocate(2).
func (f *file) allocate(mode uint32, off, n int64) int32 {
	const punch = sys.FallocKeepSize | sys.FallocPunchHole
	const known = punch | sys.FallocZeroRange
	switch {
	case f.o.flags&sys.OAccmode == 0:
		return -sys.EBADF
	case off < 0 || n <= 0:
		return -sys.EINVAL
	case mode&^known != 0, mode&sys.FallocPunchHole != 0 && mode != punch:
		return -sys.EOPNOTSUPP
	case n > fileMax-off:
		return -int32(sys.EFBIG)
	}
	from, to := off/pageSize, (off+n+pageSize-1)/pageSize
	if mode != punch {
		if e := f.h.full(f.allocated(from, to).count() - f.reserved.count()); e != 0 {
			return -e
		}
	}
	if mode == punch || mode&sys.FallocZeroRange != 0 {
		f.zero(off, off+n)
	}
	if mode == punch { // whole pages; like ext4, not those behind the end
		f.reserve(f.reserved.without((off+pageSize-1)/pageSize, min((off+n)/pageSize, (f.size+pageSize-1)/pageSize)))
	} else {
		f.reserve(f.allocated(from, to))
	}
	if mode&sys.FallocKeepSize == 0 {
		f.size = max(f.size, off+n)
	}
	f.changed()
	return 0
}

// zero fills a range with zeros, and frees the pages within it.
func (f *file) zero(off, end int64) {
	for _, at := range f.written() {
		from, to := max(off-at*pageSize, 0), min(end-at*pageSize, pageSize)
		switch {
		case from >= to:
		case to-from == pageSize:
			f.drop(at)
		default:
			f.soil(at)
			clear(f.pages[at][from:to])
		}
	}
}

// truncate is ftruncate(2).
func (f *file) truncate(size int64) int32 {
	switch {
	case f.o.flags&sys.OAccmode == 0, size < 0, f.mode&sys.SIfmt != sys.SIfreg:
		return -sys.EINVAL
	case size > fileMax:
		return -int32(sys.EFBIG)
	}
	f.resize(size)
	return 0
}

// CopyRange copies from one position to another.
func (h *Host) CopyRange(out, in int32, n int) int32 {
	o, res := h.fileAt(out)
	if res < 0 {
		return res
	}
	i, res := h.fileAt(in)
	if res < 0 {
		return res
	}
	if res := h.accesses(&plainRead); res != 0 {
		return res
	}
	p := make([]byte, max(0, min(int64(n), i.size-i.at)))
	got := i.read([][]byte{p}, i.at)
	if got <= 0 {
		return got
	}
	if res := h.accesses(&plainWrite); res != 0 {
		return res
	}
	res = o.write([][]byte{p[:got]}, -1)
	i.at += int64(max(res, 0))
	return res
}

// Clone is not supported, as on most file systems.
func (h *Host) Clone(out, in int32) int32 {
	if _, res := h.fileAt(out); res < 0 {
		return res
	}
	if _, res := h.fileAt(in); res < 0 {
		return res
	}
	return -sys.EOPNOTSUPP
}

// Resident reports whether bytes are in memory: all bytes that were written are.
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

// SyncRange writes a range, without a guarantee after a crash. If the flags say so, it waits for the writes and
// returns their errors.
func (h *Host) SyncRange(fd int32, off, n int64, flags int) int32 {
	const all = sys.SyncRangeWaitBefore | sys.SyncRangeWrite | sys.SyncRangeWaitAfter
	f, res := h.fileAt(fd)
	switch {
	case res < 0:
		return res
	case flags&^all != 0, off < 0, n < 0, beyond(off, n):
		return -sys.EINVAL
	case flags&(sys.SyncRangeWaitBefore|sys.SyncRangeWaitAfter) == 0:
		return 0
	}
	if res = h.accesses(&plainSync); res != 0 {
		to := int64(pagesMax)
		if n > 0 {
			to = (off + n + pageSize - 1) / pageSize
		}
		f.failSync(off/pageSize, to)
	}
	return res
}

// Advise checks its arguments, and does nothing else.
func (h *Host) Advise(fd int32, _, _ int64, advice int) int32 {
	switch _, res := h.fileAt(fd); {
	case res < 0:
		return res
	case advice < sys.FadvNormal || advice > sys.FadvNoreuse:
		return -sys.EINVAL
	}
	return 0
}
