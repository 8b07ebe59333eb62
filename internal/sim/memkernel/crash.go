package memkernel

import (
	"maps"
	"slices"

	"ringo/internal/sim/world"
)

// platter is what of an inode has been written to the disk for certain.
type platter struct {
	pages    map[int64]*page
	reserved extents
	size     int64
	dirty    map[int64]bool // pages that were changed since, or taken away
	names    entries        // of a directory
	facts    facts
}

// nameChange is what one call does to names: all of it or nothing is on the disk.
type nameChange struct{ parts []namePart }

type namePart struct {
	dir  *inode
	name string
	is   *inode // that has got the name, or has lost it
	gone bool
}

// touched is what changes of names have to do with: the files whose names they are, those names, and the directories
// that these are in.
type touched struct {
	files map[*inode]bool
	names map[namePart]bool // with dir and name alone
	dirs  map[*inode]bool
}

func newTouched() *touched {
	return &touched{map[*inode]bool{}, map[namePart]bool{}, map[*inode]bool{}}
}

func (t *touched) add(c *nameChange) {
	for _, p := range c.parts {
		t.files[p.is], t.dirs[p.dir] = true, true
		t.names[namePart{dir: p.dir, name: p.name}] = true
	}
}

// needs reports whether those that were added can't be on the disk without c, which came before them.
func (t *touched) needs(c *nameChange) bool {
	return slices.ContainsFunc(c.parts, func(p namePart) bool {
		return t.files[p.is] || t.dirs[p.is] || t.names[namePart{dir: p.dir, name: p.name}]
	})
}

// precedes reports whether c can't be on the disk without those that were added, which came before it.
func (t *touched) precedes(c *nameChange) bool {
	return slices.ContainsFunc(c.parts, func(p namePart) bool {
		return t.files[p.is] || t.files[p.dir] || t.names[namePart{dir: p.dir, name: p.name}]
	})
}

// soil notes that a page has been changed.
func (n *inode) soil(at int64) {
	if n.platter.dirty == nil {
		n.platter.dirty = map[int64]bool{}
	}
	n.platter.dirty[at] = true
}

// change makes a change of names that is whole after a crash, or undone.
func (h *Host) change(make func()) {
	h.now = new(nameChange)
	make()
	h.pending = append(h.pending, *h.now)
	if h.now = nil; len(h.pending) > pendingMax || h.freed > freedMax {
		h.commit()
	}
}

// pendingMax and freedMax bound the changes of names that a crash may undo, and the pages that it would bring back. Who
// makes more without a sync has them committed, as by a journal that is full.
const (
	pendingMax = 1024
	freedMax   = 16 << 20 / pageSize
)

// noteName notes a part of the change under way: a name that is got, or lost.
func (h *Host) noteName(dir *inode, name string, is *inode, gone bool) {
	p := namePart{dir, name, is, gone}
	if h.now == nil {
		h.pending = append(h.pending, nameChange{[]namePart{p}})
		return
	}
	h.now.parts = append(h.now.parts, p)
}

// sync writes a file, or the names in a directory. A file's name is written by a sync of its directory alone.
func (f *file) sync() {
	if f.isDir() {
		f.h.syncNames(f.inode)
		f.platter.facts = f.facts()
		return
	}
	f.inode.sync()
}

func (n *inode) sync() {
	p := &n.platter
	for at := range p.dirty {
		p.write(at, n.pages[at])
	}
	clear(p.dirty)
	p.size, p.reserved, p.facts = n.size, n.reserved, n.facts()
}

// write puts a page on the disk; nil: it is there no more.
func (p *platter) write(at int64, pg *page) {
	if pg == nil {
		delete(p.pages, at)
		return
	}
	if p.pages == nil {
		p.pages = map[int64]*page{}
	}
	on := *pg
	p.pages[at] = &on
}

// syncNames writes all changes that have to do with a directory, and those before them without which they can't be.
func (h *Host) syncNames(dir *inode) {
	written, writes := newTouched(), make([]bool, len(h.pending))
	for i := len(h.pending) - 1; i >= 0; i-- {
		c := &h.pending[i]
		about := func(p namePart) bool { return p.dir == dir || p.is == dir }
		if writes[i] = slices.ContainsFunc(c.parts, about) || written.needs(c); writes[i] {
			written.add(c)
		}
	}
	var left []nameChange
	for i := range h.pending {
		if writes[i] {
			h.pending[i].write()
		} else {
			left = append(left, h.pending[i])
		}
	}
	h.pending = left
}

func (c *nameChange) write() {
	for _, p := range c.parts {
		names := &p.dir.platter.names
		names.remove(p.name)
		if !p.gone {
			p.dir.cookie++
			names.add(entry{p.name, p.dir.cookie, p.is})
		}
	}
}

// loseWrites is what a failed fsync does: what it was to write counts as written, and is not.
func (h *Host) loseWrites(fd int32) {
	if f, res := h.fileAt(fd); res == 0 {
		clear(f.platter.dirty)
	}
}

// free gives the pages of a file back that has no name and is not open. What was never synced of them stays in memory
// as long as a crash could undo the loss of the name.
func (n *inode) free() {
	n.gives(n.space())
	maps.DeleteFunc(n.pages, func(at int64, _ *page) bool { return !n.platter.dirty[at] })
}

// sector is what a disk writes whole.
const sector = 512

// Crash ends all that runs on the host at once, as a power cut does. Peers hear nothing; what they send gets lost until
// Restart. Of the disk there is what was synced, and of all else what chance has left: each change of a name or none of
// it, each sector of a page or what was there before.
func (h *Host) Crash() {
	sockets := h.sockets()
	for _, s := range sockets {
		s.vanish()
	}
	for _, s := range sockets {
		if s.peer != nil {
			s.peer.doubt()
		}
	}
	h.numbers, h.taken = nil, bitmap{}
	h.remnants = nil
	h.ports, h.names = map[portKey]*binding{}, map[string]*unixName{}
	lost := newTouched()
	for i := range h.pending {
		if c := &h.pending[i]; !lost.precedes(c) && h.w.Chance(0.5) {
			c.write()
		} else {
			lost.add(c)
		}
	}
	h.pending = nil
	h.used = 0
	h.forgetFreed()
	h.cwd = h.root
	h.root.recover(map[*inode]bool{})
	h.down = true
}

// Down reports whether the host has crashed and not been restarted.
func (h *Host) Down() bool { return h.down }

// Restart has it run again, with nothing but its disk.
func (h *Host) Restart() { h.down = false }

// recover makes an inode, and all below it, what the disk has.
func (n *inode) recover(seen map[*inode]bool) {
	if seen[n] {
		n.nlink++
		return
	}
	seen[n] = true
	n.opens, n.locks, n.fifo, n.name = 0, nil, nil, nil
	n.recoverFacts()
	if !n.isDir() {
		n.nlink = 1
		n.tear(n.h.w)
		n.h.used += n.space()
		return
	}
	n.nlink = 2
	n.entries = n.platter.names.clone()
	for e := range n.entries.all() {
		if e.isDir() {
			e.parent = n
			n.nlink++
		}
		e.recover(seen)
	}
}

// recoverFacts makes what an inode says of itself what was synced of it, or what it was last.
func (n *inode) recoverFacts() {
	p := &n.platter
	if now := n.facts(); !now.equal(p.facts) && n.h.w.Chance(0.5) {
		p.facts = now
	}
	n.mode, n.uid, n.gid, n.attrs = p.facts.mode, p.facts.uid, p.facts.gid, slices.Clone(p.facts.attrs)
}

// tear makes a file what a crash leaves of it.
func (n *inode) tear(w *world.World) {
	p := &n.platter
	if (p.size != n.size || !slices.Equal(p.reserved, n.reserved)) && w.Chance(0.5) {
		p.size, p.reserved = n.size, n.reserved
	}
	for _, at := range slices.Sorted(maps.Keys(p.dirty)) {
		was, is := p.pages[at], n.pages[at]
		if is == nil { // a page goes as a whole, and one behind the end with the change of the size
			if at*pageSize < n.size && w.Chance(0.5) {
				p.write(at, nil)
			}
			continue
		}
		if was == nil {
			was = new(page)
		}
		left := *was
		for from := 0; from < pageSize; from += sector {
			if w.Chance(0.5) {
				copy(left[from:from+sector], is[from:])
			}
		}
		p.write(at, &left)
	}
	p.dirty = nil
	n.size = p.size
	n.pages = map[int64]*page{}
	for at, pg := range p.pages {
		if at*pageSize >= n.size {
			delete(p.pages, at)
			continue
		}
		if end := n.size - at*pageSize; end < pageSize {
			clear(pg[end:]) // what is behind the end reads as zeros when that moves on
		}
		on := *pg
		n.pages[at] = &on
	}
	p.reserved = p.reserved.unwritten(n)
	n.reserved = p.reserved
}

// vanish is the end of a socket that nobody hears of.
func (s *socket) vanish() {
	s.gone, s.vanished, s.bound = true, true, nil
	s.h.w.Drop(s.dial)
	if s.way != nil {
		s.way.stop()
	}
	s.out, s.in = stream{}, stream{}
}
