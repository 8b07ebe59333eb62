package memkernel

import (
	"net/netip"
	"time"

	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// Host is a machine: its descriptors, addresses and disk.
type Host struct {
	Name string
	// Number tells the hosts of a network apart, from 0 on.
	Number int

	net *Network
	w   *world.World
	ips []netip.Addr

	first   int32     // the least descriptor
	numbers []*number // descriptors by number, from there on; nil: free
	taken   bitmap    // which of them are not
	max     int       // of descriptors, see SetDescriptors

	ports     map[portKey]*binding // of TCP and UDP
	remnants  map[uint16][]remnant // of connections that are over, by their port here
	names     map[string]*unixName // of Unix sockets, abstract ones; those with a path are in the file system
	ephemeral int                  // of them are for sockets that are given none
	next      uint16               // where the search for a free port begins

	// Wall is what its wall clock says, of which the times of files and of packets are. nil: one that begins with
	// WallStart.
	Wall func() time.Time
	// Umask is what modes are without that new files ask for.
	Umask uint32

	// Disk is how long the disk takes for an op, or for what is none, as one whose FD is nil: a read or a write of a
	// call that does both, the sync of a write to a file with O_SYNC, a look at a name. nil: no time, so that
	// nothing waits for it.
	Disk func(o *op.Op) time.Duration
	// Capacity is how many bytes the disk holds, written or allocated; 0: any number.
	Capacity int64
	// Quota is how many bytes its user may have on it: EDQUOT, where Capacity is ENOSPC; 0: any number.
	Quota int64
	// Room is called before these two are looked at, to set them. nil: they are what they are.
	Room func()
	// Short is how much of n bytes a call on a file or a send on a stream gets done. nil: all of them.
	Short func(what Part, n int) int
	// Decays is asked once for each read of a file: whether a sector of what is read has become unreadable. It stays so
	// until it is written as a whole. nil: none ever does.
	Decays func() bool
	// Lacks is asked before a descriptor is made, of a socket or not: whether there is no memory for it. nil: there is.
	Lacks func() bool
	// Fail is asked before each op, and before each receive, send, read, write and sync that is none, whose FD is nil,
	// and fails it with a
	// negated errno; 0: it goes on. nil: none fails. After an fsync that failed so, what it was to write is in memory
	// and will never be written, as on Linux.
	Fail func(o *op.Op) int32

	timing bool          // Timed is under way
	takes  time.Duration // of what it does
	owed   time.Duration // see Owed

	root    *inode
	cwd     *inode
	used    int64        // pages of the disk
	freed   int64        // pages that were given back since the last commit
	cuts    []*inode     // that have given some
	pending []nameChange // of names, that a crash may undo
	now     *nameChange  // under way
	down    bool
	inos    uint64
}

// descriptorsMax is RLIMIT_NOFILE of a host that was given none.
const descriptorsMax = 1 << 20

// Part is what may be done in part.
type Part uint8

const (
	FileRead Part = iota
	FileWrite
	StreamSend
)

// part is how much of n bytes is done.
func (h *Host) part(what Part, n int) int {
	if h.Short == nil || n < 2 {
		return n
	}
	return h.Short(what, n)
}

// lacks is the error of a shortage of memory, e, if there is one, or of the table of descriptors, if it is full.
func (h *Host) lacks(e int32) int32 {
	if h.Lacks != nil && h.Lacks() {
		return -e
	}
	return min(h.free(), 0)
}

// SetPorts bounds how many ports there are for sockets that are given none; 0: as many as there can be.
func (h *Host) SetPorts(most int) {
	if most <= 0 || most > ephemeralTo-ephemeralFrom+1 {
		most = ephemeralTo - ephemeralFrom + 1
	}
	h.ephemeral, h.next = most, ephemeralFrom
}

// SetDescriptors bounds how many descriptors may be open, a million at most: RLIMIT_NOFILE.
func (h *Host) SetDescriptors(most int) { h.max = min(most, descriptorsMax) }

// numbersFrom is the least descriptor of a host. No process has so high a number: what by mistake goes to the system's
// kernel fails there with EBADF, and is seen, where a small one would be some other file of the process's. Of two hosts
// of a network as well, up to hostsApart of them, one has no number that the other has.
const (
	numbersFrom = 1 << 30
	hostsApart  = 1 << 10
)

// number is an entry in the table of descriptors.
type number struct {
	file    *openFile
	cloexec bool
}

// openFile is an open file description: what duplicates of a descriptor share.
type openFile struct {
	refs  int
	flags int32 // O_ flags
	object
}

// object is what can be open. Methods return results of system calls.
type object interface {
	// ready is the poll mask of what would not have to wait.
	ready() uint32
	// watchers are told when more than before is ready.
	watchers() *watchList
	// released ends it, with the last descriptor.
	released()
}

// watchList is who wants to know of an object's readiness.
type watchList struct{ list []*Watch }

// Watch is a subscription to the readiness of an open file.
type Watch struct {
	of *watchList
	fn func()
}

// Stop ends it.
func (w *Watch) Stop() {
	for i, o := range w.of.list {
		if o == w {
			w.of.list = append(w.of.list[:i:i], w.of.list[i+1:]...)
			return
		}
	}
}

// tell tells all who watch.
func (l *watchList) tell() {
	for _, w := range l.list {
		w.fn()
	}
}

func (l *watchList) watchers() *watchList { return l }

// Watch has fn called whenever more may be ready than before, until Stop; fn only notes it. nil if there is no such
// descriptor.
func (h *Host) Watch(fd int32, fn func()) *Watch {
	o := h.at(fd)
	if o == nil {
		return nil
	}
	return o.watchers().watch(fn)
}

func (l *watchList) watch(fn func()) *Watch {
	w := &Watch{of: l, fn: fn}
	l.list = append(l.list, w)
	return w
}

// Ready is the poll mask of a descriptor, POLLNVAL if it is none.
func (h *Host) Ready(fd int32) uint32 {
	o := h.at(fd)
	if o == nil {
		return sys.PollNval
	}
	return o.ready()
}

// entry is that of a descriptor; nil: there is none.
func (h *Host) entry(fd int32) *number {
	if fd < h.first || int(fd-h.first) >= len(h.numbers) {
		return nil
	}
	return h.numbers[fd-h.first]
}

// at is the open file of a descriptor; nil: there is none.
func (h *Host) at(fd int32) *openFile {
	if n := h.entry(fd); n != nil {
		return n.file
	}
	return nil
}

// find is the object of a descriptor as a T; otherwise the error, other if it is something else.
func find[T object](h *Host, fd int32, other int32) (t T, o *openFile, res int32) {
	if o = h.at(fd); o == nil {
		return t, nil, -sys.EBADF
	}
	t, ok := o.object.(T)
	if !ok {
		return t, nil, -other
	}
	return t, o, 0
}

// free is the lowest number that is free; -EMFILE: none is.
func (h *Host) free() int32 {
	n := h.taken.lowest()
	if n >= h.max {
		return -sys.EMFILE
	}
	return h.first + int32(n)
}

// give puts an open file into the table.
func (h *Host) give(o *openFile, cloexec bool) int32 {
	fd := h.free()
	if fd < 0 {
		return fd
	}
	i := int(fd - h.first)
	if h.taken.set(i); i == len(h.numbers) {
		h.numbers = append(h.numbers, nil)
	}
	h.numbers[i] = &number{o, cloexec}
	return fd
}

// made is the descriptor of a new object.
func (h *Host) made(x object, flags int32, cloexec bool) int32 {
	fd := h.give(&openFile{refs: 1, flags: flags, object: x}, cloexec)
	if fd < 0 {
		x.released()
	}
	return fd
}

// Close frees a number.
func (h *Host) Close(fd int32) int32 {
	o := h.at(fd)
	if o == nil {
		return -sys.EBADF
	}
	h.numbers[fd-h.first] = nil
	h.taken.clear(int(fd - h.first))
	o.drop()
	return 0
}

// CloseLingering is Close: nothing lingers here.
func (h *Host) CloseLingering(fd int32) int32 { return h.Close(fd) }

func (o *openFile) drop() {
	if o.refs--; o.refs == 0 {
		o.released()
	}
}

// Dup is another number of the same open file.
func (h *Host) Dup(fd int32) int32 {
	o := h.at(fd)
	if o == nil {
		return -sys.EBADF
	}
	n := h.give(o, true)
	if n >= 0 {
		o.refs++
	}
	return n
}

// settable are the flags that Setfl may change.
const settable = sys.ONonblock | sys.OAppend

// Getfl is the flags of the open file.
func (h *Host) Getfl(fd int32) int32 {
	o := h.at(fd)
	if o == nil {
		return -sys.EBADF
	}
	return o.flags
}

// Setfl sets those that may change.
func (h *Host) Setfl(fd int32, flags int32) int32 {
	o := h.at(fd)
	if o == nil {
		return -sys.EBADF
	}
	o.flags = o.flags&^settable | flags&settable
	return 0
}

// SetCloexec keeps the descriptor from programs that are started.
func (h *Host) SetCloexec(fd int32) int32 {
	n := h.entry(fd)
	if n == nil {
		return -sys.EBADF
	}
	n.cloexec = true
	return 0
}

// Inherited reports whether programs that are started get the descriptor.
func (h *Host) Inherited(fd int32) bool {
	n := h.entry(fd)
	return n != nil && !n.cloexec
}

// Open is how many descriptors are open.
func (h *Host) Open() (n int) {
	for _, x := range h.numbers {
		if x != nil {
			n++
		}
	}
	return n
}
