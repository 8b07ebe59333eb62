package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
)

// disk is a file system in memory that forgets what was not synced. A test says at which call it fails, or loses its
// power.
//
// What programs see is in names and in each node's data. What is durable is in kept and in each node's disk, and
// between the two lie the changes that no sync has covered: of those a power cut keeps any.
type disk struct {
	mu    sync.Mutex
	names map[string]*node
	kept  map[string]*node
	moves []func(kept map[string]*node) // of names, in order: the journal keeps a begin of them

	calls int               // made so far
	fault func(c call) deed // what to do with a call; nil: do it
	dead  bool              // the power is off
	open  int               // files that were opened and not closed
}

// call is one call of the store.
type call struct {
	n    int
	kind string
	name string
}

// deed is what becomes of a call.
type deed int

const (
	proceed deed = iota
	fail         // with EIO, and nothing was done
	half         // with EIO, and something was done: half a write, a part of a sync, all of a rename
	cut          // the power is off, before it
)

var errDead = errors.New("the power is off")

type node struct {
	name  string
	data  []byte
	disk  []byte
	dirty []change
}

// change is a write, or the setting of a size.
type change struct {
	off  int64
	data []byte
	size int64 // -1 for a write
}

func newDisk() *disk { return &disk{names: map[string]*node{}, kept: map[string]*node{}} }

// begin counts a call and asks what becomes of it. The lock is held if there is no error.
func (d *disk) begin(kind, name string) (deed, error) {
	d.mu.Lock()
	if d.dead {
		d.mu.Unlock()
		return cut, errDead
	}
	d.calls++
	c, fault := call{d.calls, kind, name}, d.fault
	d.mu.Unlock()
	what := proceed
	if fault != nil {
		what = fault(c) // may wait
	}
	d.mu.Lock()
	switch {
	case d.dead || what == cut:
		d.dead = true
		d.mu.Unlock()
		return cut, errDead
	case what == fail:
		if kind == "sync" { // the kernel takes what it could not write for written
			d.names[name].dirty = nil
		}
		d.mu.Unlock()
		return fail, &fs.PathError{Op: kind, Path: name, Err: syscall.EIO}
	}
	return what, nil
}

// done ends a call that began without an error.
func (d *disk) done(what deed, kind, name string) error {
	d.mu.Unlock()
	if what == half {
		return &fs.PathError{Op: kind, Path: name, Err: syscall.EIO}
	}
	return nil
}

func (d *disk) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	what, err := d.begin("open", name)
	if err != nil {
		return nil, err
	}
	n := d.names[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		d.mu.Unlock()
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	case n == nil:
		n = &node{name: name}
		d.names[name] = n
		d.moves = append(d.moves, func(kept map[string]*node) { kept[name] = n })
	case flag&os.O_TRUNC != 0:
		n.change(change{size: 0})
	}
	if err := d.done(what, "open", name); err != nil {
		return nil, err
	}
	d.open++
	return &handle{d: d, n: n}, nil
}

func (d *disk) Rename(from, to string) error {
	what, err := d.begin("rename", to)
	if err != nil {
		return err
	}
	n := d.names[from]
	delete(d.names, from)
	d.names[to] = n
	n.name = to
	d.moves = append(d.moves, func(kept map[string]*node) {
		delete(kept, from)
		kept[to] = n
	})
	return d.done(what, "rename", to)
}

func (d *disk) Sync() error {
	what, err := d.begin("syncdir", ".")
	if err != nil {
		return err
	}
	keep := len(d.moves)
	if what == half {
		keep /= 2
	}
	for _, m := range d.moves[:keep] {
		m(d.kept)
	}
	d.moves = d.moves[keep:]
	return d.done(what, "syncdir", ".")
}

func (d *disk) Close() error { return nil }

// count gives the calls made so far.
func (d *disk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// handle is an open file.
type handle struct {
	d    *disk
	n    *node
	shut bool
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	what, err := h.d.begin("read", h.n.name)
	if err != nil {
		return 0, err
	}
	n := 0
	if off < int64(len(h.n.data)) {
		n = copy(p, h.n.data[off:])
	}
	if err := h.d.done(what, "read", h.n.name); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	what, err := h.d.begin("write", h.n.name)
	if err != nil {
		return 0, err
	}
	n := len(p)
	if what == half {
		n /= 2
	}
	h.n.change(change{off, slices.Clone(p[:n]), -1})
	return n, h.d.done(what, "write", h.n.name)
}

func (h *handle) Truncate(size int64) error {
	what, err := h.d.begin("truncate", h.n.name)
	if err != nil {
		return err
	}
	h.n.change(change{size: size})
	return h.d.done(what, "truncate", h.n.name)
}

func (h *handle) Datasync() error {
	what, err := h.d.begin("sync", h.n.name)
	if err != nil {
		return err
	}
	keep := len(h.n.dirty)
	if what == half {
		keep /= 2
	}
	for _, c := range h.n.dirty[:keep] {
		h.n.disk = c.apply(h.n.disk)
	}
	h.n.dirty = nil
	return h.d.done(what, "sync", h.n.name)
}

func (h *handle) Close() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.shut {
		return fs.ErrClosed
	}
	h.shut = true
	h.d.open--
	return nil
}

func (n *node) change(c change) {
	n.data = c.apply(n.data)
	n.dirty = append(n.dirty, c)
}

func (c change) apply(b []byte) []byte {
	if c.size >= 0 {
		return resized(b, c.size)
	}
	b = resized(b, max(int64(len(b)), c.off+int64(len(c.data))))
	copy(b[c.off:], c.data)
	return b
}

func resized(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b[:len(b):len(b)], make([]byte, size-int64(len(b)))...)
}

// loss says what of the unsynced changes a power cut keeps.
type loss int

const (
	nothing  loss = iota // of it was kept
	all                  // of it was
	anything             // some sectors of some writes, in any order, and a begin of the journal
	losses
)

func (l loss) String() string { return [...]string{"nothing kept", "all kept", "some kept"}[l] }

const sector = 512

// after gives the disk as it is when the power comes back.
func (d *disk) after(l loss, random *rand.Rand) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	moves := map[loss]int{nothing: 0, all: len(d.moves), anything: random.IntN(len(d.moves) + 1)}[l]
	kept := maps.Clone(d.kept)
	for _, m := range d.moves[:moves] {
		m(kept)
	}
	fresh := newDisk()
	for _, name := range slices.Sorted(maps.Keys(kept)) { // in order, for the seed's sake
		b := slices.Clone(kept[name].disk)
		for _, c := range kept[name].dirty {
			switch l {
			case all:
				b = c.apply(b)
			case anything:
				b = c.some(b, random)
			}
		}
		n := &node{name: name, data: b, disk: slices.Clone(b)}
		fresh.names[name], fresh.kept[name] = n, n
	}
	return fresh
}

// some applies a change in part: sectors are written or not, each for itself, one may be torn, and the file may have
// grown to hold what was not written.
func (c change) some(b []byte, random *rand.Rand) []byte {
	if c.size >= 0 {
		if random.IntN(2) == 0 {
			return b
		}
		return c.apply(b)
	}
	if random.IntN(4) == 0 { // the size is as it will be
		b = resized(b, max(int64(len(b)), c.off+int64(len(c.data))))
	}
	for at := 0; at < len(c.data); {
		end := min(at+sector-int((c.off+int64(at))%sector), len(c.data))
		piece := change{c.off + int64(at), c.data[at:end], -1}
		switch random.IntN(5) {
		case 0, 1:
			b = piece.apply(b)
		case 2:
			piece.data = piece.data[:random.IntN(len(piece.data)+1)]
			b = piece.apply(b)
		}
		at = end
	}
	return b
}

func (c call) String() string { return fmt.Sprintf("call %d, %s %s", c.n, c.kind, c.name) }
