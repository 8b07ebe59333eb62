package memkernel

import (
	"maps"
	"slices"
)

const pageSize = 4096

// page is a page of a file.
type page [pageSize]byte

// fileMax is the greatest length of a file, and pagesMax how many pages that is.
const (
	fileMax  = 1 << 43
	pagesMax = fileMax / pageSize
)

// readFrom copies from an offset on; unwritten parts read as zeros.
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
			if n.reserved.has(at / pageSize) {
				n.reserved = n.reserved.without(at/pageSize, at/pageSize+1)
				n.h.used-- // it is counted as a page
			} else if n.h.full(1) != 0 {
				break
			}
			pg = new(page)
			n.pages[at/pageSize] = pg
			n.h.used++
		}
		n.soil(at / pageSize)
		part := copy(pg[at%pageSize:], p[done:])
		n.heal(at, at+int64(part))
		done += part
	}
	if done > 0 {
		n.size = max(n.size, off+int64(done))
		n.changed()
	}
	return done
}

// readable returns how many of the bytes at an offset come before an unreadable sector.
func (n *inode) readable(off int64, length int) int {
	if n.h.Decays != nil && off < n.size && length > 0 && n.h.Decays() {
		if n.bad == nil {
			n.bad = map[int64]bool{}
		}
		end := min(off+int64(length), n.size)
		n.bad[(off+n.h.w.Rand().Int64N(end-off))/sector] = true
	}
	if len(n.bad) > 0 {
		for at := off / sector; at*sector < off+int64(length); at++ {
			if n.bad[at] {
				return int(max(at*sector-off, 0))
			}
		}
	}
	return length
}

// heal records that the sectors within a range were overwritten.
func (n *inode) heal(from, to int64) {
	if len(n.bad) == 0 {
		return
	}
	if to >= n.size { // bytes behind the end need not be kept
		to = (to + sector - 1) / sector * sector
	}
	for at := (from + sector - 1) / sector; (at+1)*sector <= to; at++ {
		delete(n.bad, at)
	}
}

// torn reports whether a write of a range would have to read an unreadable sector, because it writes only a part of
// it.
func (n *inode) torn(from, to int64) bool {
	if len(n.bad) == 0 || to <= from {
		return false
	}
	return from%sector != 0 && n.bad[from/sector] || to%sector != 0 && to < n.size && n.bad[to/sector]
}

// written returns the pages that exist, in order.
func (n *inode) written() []int64 { return slices.Sorted(maps.Keys(n.pages)) }

// drop removes a page.
func (n *inode) drop(at int64) {
	if n.pages[at] != nil {
		n.soil(at)
		delete(n.pages, at)
		n.heal(at*pageSize, (at+1)*pageSize)
		n.gives(1)
	}
}

// resize sets the length.
func (n *inode) resize(size int64) {
	if size < n.size {
		for _, at := range n.written() {
			if at*pageSize >= size {
				n.drop(at)
			}
		}
		if pg := n.pages[size/pageSize]; pg != nil {
			n.soil(size / pageSize)
			clear(pg[size%pageSize:])
		}
	}
	if size <= n.size { // for the same size, too: what is reserved behind the end is freed
		n.reserve(n.reserved.without((size+pageSize-1)/pageSize, pagesMax))
	}
	n.size = size
	n.platter.cutTo = min(n.platter.cutTo, size)
	n.changed()
}
