//go:build linux

package memkernel

import (
	"maps"
	"slices"
)

const pageSize = 4096

type page [pageSize]byte

// fileMax is the longest file.
const fileMax = 1 << 43

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
