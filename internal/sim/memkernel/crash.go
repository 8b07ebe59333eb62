package memkernel

import (
	"maps"
	"slices"
)

// nameChange is what one call does to names: all of it or nothing is on the disk.
type nameChange struct{ parts []namePart }

type namePart struct {
	dir  *inode
	name string
	is   *inode // the inode that has got the name, or lost it
	gone bool
}

// touched is what changes of names concern: the files that are named, the names, and the directories that they are in.
type touched struct {
	files map[*inode]bool
	names map[namePart]bool // only dir and name are set
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

// needs reports whether the changes that were added can't be on the disk without c, which came before them.
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

// change makes a change of names that a crash keeps or undoes as a whole.
func (h *Host) change(make func()) {
	h.now = new(nameChange)
	make()
	h.pending = append(h.pending, *h.now)
	if h.now = nil; len(h.pending) > pendingMax || h.freed > freedMax {
		h.commit()
	}
}

// pendingMax and freedMax bound the changes of names that a crash may undo, and the pages that it would bring back.
// Beyond them everything is committed, as by a file system whose journal is full.
const (
	pendingMax = 1024
	freedMax   = 16 << 20 / pageSize
)

// noteName records a part of the change under way: a name that is added or removed.
func (h *Host) noteName(dir *inode, name string, is *inode, gone bool) {
	p := namePart{dir, name, is, gone}
	if h.now == nil {
		h.pending = append(h.pending, nameChange{[]namePart{p}})
		return
	}
	h.now.parts = append(h.now.parts, p)
}

// syncNames writes all changes that concern a directory, and earlier changes that they need.
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

// free frees the pages of a file that has no name and is not open. Unsynced pages stay in memory as long as a crash
// could undo the removal of the name.
func (n *inode) free() {
	n.gives(n.space())
	maps.DeleteFunc(n.pages, func(at int64, _ *page) bool { return !n.platter.dirty[at] })
}

// Crash ends everything that runs on the host at once, as a power cut does. Peers hear nothing; what they send is lost
// until Restart. The disk keeps what was synced, and random parts of the rest: each change of a name or nothing of it,
// each sector of a page or what it was before, a file's length or one that it had before.
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

// Restart makes the host run again, with only its disk.
func (h *Host) Restart() { h.down = false }

// recover makes an inode, and everything below it, what the disk has.
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
		n.tear()
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

// recoverFacts makes an inode's metadata what was synced of it, or what it was last.
func (n *inode) recoverFacts() {
	p := &n.platter
	if now := n.facts(); !now.equal(p.facts) && n.h.w.Chance(0.5) {
		p.facts = now
	}
	n.mode, n.uid, n.gid, n.attrs = p.facts.mode, p.facts.uid, p.facts.gid, slices.Clone(p.facts.attrs)
}

// vanish ends a socket without telling its peer.
func (s *socket) vanish() {
	s.gone, s.vanished, s.bound = true, true, nil
	s.h.w.Drop(s.dial)
	if s.way != nil {
		s.way.stop()
	}
	s.out, s.in = stream{}, stream{}
}
