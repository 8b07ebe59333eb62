package memkernel

import (
	"maps"
	"slices"
)

// platter is what is certainly on the disk of an inode. Pages end with the file, and bytes behind its
// end are zeros.
type platter struct {
	pages    map[int64]*page
	reserved extents
	size     int64
	cutTo    int64          // the least size of the file since size was set: less than size after a truncation
	dirty    map[int64]bool // pages that were changed, or removed, since
	haste    float64        // see hastes
	names    entries        // of a directory
	facts    facts
}

// sector is the unit that a disk writes as a whole.
const sector = 512

// hastes are how often a page that is dirty already is on its way to the disk when it changes again, so that a crash
// may leave any of its versions. Chance chooses one for a file at its first change after a sync: with 0 a crash may
// undo everything since then, however long ago it was.
var hastes = [...]float64{0, 1. / 64, 1. / 8}

// soil records that a page is about to change.
func (n *inode) soil(at int64) {
	p, w := &n.platter, n.h.w
	switch {
	case len(p.dirty) == 0:
		if p.haste = hastes[w.Rand().IntN(len(hastes))]; p.dirty == nil {
			p.dirty = map[int64]bool{}
		}
	case p.dirty[at] && n.pages[at] != nil && at*pageSize < n.size && w.Chance(p.haste):
		p.cut()
		p.grow(min(n.size, (at+1)*pageSize))
		n.writeSectors(at)
	}
	p.dirty[at] = true
}

// sync writes a file, or the names in a directory. Only a sync of its directory writes a file's name.
func (f *file) sync(facts bool) {
	if f.isDir() {
		f.h.syncNames(f.inode)
	} else {
		f.syncPages(0, pagesMax)
		f.platter.reserved = f.reserved
	}
	if facts {
		f.platter.facts = f.facts()
	}
}

// syncPages writes the pages of a range that have changed, and the size and truncation without which they can't be
// read.
func (n *inode) syncPages(from, to int64) {
	p := &n.platter
	p.cut()
	for at := range p.dirty {
		if from <= at && at < to {
			p.write(at, n.pages[at])
			delete(p.dirty, at)
		}
	}
	p.grow(min(n.size, to*pageSize))
}

// write puts a page on the disk; nil removes it.
func (p *platter) write(at int64, pg *page) {
	if pg == nil {
		delete(p.pages, at)
		return
	}
	*p.page(at) = *pg
}

// page returns a page on the disk.
func (p *platter) page(at int64) *page {
	pg := p.pages[at]
	if pg == nil {
		if p.pages == nil {
			p.pages = map[int64]*page{}
		}
		pg = new(page)
		p.pages[at] = pg
	}
	return pg
}

// cut writes the truncations that the file has had, as one of all of them.
func (p *platter) cut() {
	if p.cutTo == p.size {
		return
	}
	p.size = p.cutTo
	end := (p.size + pageSize - 1) / pageSize
	maps.DeleteFunc(p.pages, func(at int64, _ *page) bool { return at >= end })
	if pg := p.pages[p.size/pageSize]; pg != nil {
		clear(pg[p.size%pageSize:]) // bytes behind the end read as zeros when the file grows
	}
	p.reserved = p.reserved.without(end, pagesMax)
}

// grow writes a size that is not less.
func (p *platter) grow(size int64) {
	p.size = max(p.size, size)
	p.cutTo = p.size
}

// commit writes what the journal has of a file that has freed pages: truncations, holes and allocations, but no data.
func (n *inode) commit() {
	p := &n.platter
	p.cut()
	n.commitReserved()
	maps.DeleteFunc(p.pages, func(at int64, _ *page) bool { return n.pages[at] == nil })
	maps.DeleteFunc(p.dirty, func(at int64, _ bool) bool { return n.pages[at] == nil })
}

// commitReserved writes which pages are reserved: on the disk those, too, whose data is only in memory.
func (n *inode) commitReserved() {
	p := &n.platter
	was := p.reserved
	p.reserved = n.reserved
	if len(was) == 0 {
		return
	}
	for _, at := range n.written() {
		if was.has(at) {
			p.reserved = p.reserved.with(at, at+1)
		}
	}
}

// writeSome writes what a disk may have written of a range of pages at any time before a sync of them has ended: the
// truncations or nothing behind them, a part of the growth, and sectors.
func (n *inode) writeSome(from, to int64) {
	p, w := &n.platter, n.h.w
	switch {
	case p.cutTo == p.size || w.Chance(0.5):
		p.cut()
		n.growSome()
	default:
		to = min(to, p.cutTo/pageSize)
	}
	for _, at := range slices.Sorted(maps.Keys(p.dirty)) {
		switch {
		case at < from, at >= to, at*pageSize >= p.size:
		case n.pages[at] != nil:
			n.writeSectors(at)
		case w.Chance(0.5): // a page is removed as a whole
			delete(p.pages, at)
		}
	}
}

// growSome writes the size, one that the file had when only its first pages were written, or none, and allocations.
func (n *inode) growSome() {
	p, w := &n.platter, n.h.w
	if p.size == n.size && slices.Equal(p.reserved, n.reserved) || w.Chance(1./3) {
		return
	}
	size := n.size
	if first, last := p.size/pageSize+1, (n.size-1)/pageSize; first <= last && w.Chance(0.5) {
		size = (first + w.Rand().Int64N(last-first+1)) * pageSize
	}
	p.grow(size)
	n.commitReserved()
}

// writeSectors writes some sectors of a page, and not always the same ones.
func (n *inode) writeSectors(at int64) {
	is, on := n.pages[at], n.platter.page(at)
	end := min(n.platter.size-at*pageSize, pageSize)
	for from := int64(0); from < end; from += sector {
		if n.h.w.Chance(0.5) {
			copy(on[from:min(from+sector, end)], is[from:])
		}
	}
}

// failSync has the effect of a failed sync of a range: everything counts as written, but only a part of it is. Names
// stay to be written by the next sync of their directory.
func (n *inode) failSync(from, to int64) {
	n.writeSome(from, to)
	maps.DeleteFunc(n.platter.dirty, func(at int64, _ bool) bool { return from <= at && at < to })
}

// tear makes a file what a crash leaves of it.
func (n *inode) tear() {
	n.writeSome(0, pagesMax)
	p := &n.platter
	p.dirty, p.cutTo = nil, p.size
	n.size = p.size
	n.pages = map[int64]*page{}
	for at, pg := range p.pages {
		on := *pg
		n.pages[at] = &on
	}
	p.reserved = p.reserved.unwritten(n)
	n.reserved = p.reserved
}
