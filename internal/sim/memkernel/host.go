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
	// Number identifies the host in its network; it counts from 0.
	Number int

	net *Network
	w   *world.World
	ips []netip.Addr

	first   int32     // the lowest descriptor
	numbers []*number // descriptors by number, from first on; nil: free
	taken   bitmap    // the numbers that are not free
	max     int       // of descriptors, see SetDescriptors

	ports     map[portKey]*binding // of TCP and UDP
	remnants  map[uint16][]remnant // connections that are over, by their local port
	names     map[string]*unixName // abstract names of Unix sockets; those with a path are in the file system
	ephemeral int                  // how many ports are for sockets that don't ask for one
	next      uint16               // where the search for a free port starts

	// Wall returns the time of the host's wall clock, which files and packets are stamped with. nil: a clock that
	// starts at WallStart.
	Wall func() time.Time
	// Umask is the bits that modes of new files don't get.
	Umask uint32

	// Disk returns how long the disk takes for an op. For an access that is not an op, FD is nil: a read or a write of
	// a call that does both, the sync of a write to a file with O_SYNC, a look-up of a name. nil: no time, so that
	// nothing waits for the disk.
	Disk func(o *op.Op) time.Duration
	// Capacity is how many bytes the disk holds, written or allocated; 0: no limit.
	Capacity int64
	// Quota is how many bytes its user may have on it (EDQUOT, where Capacity is ENOSPC); 0: no limit.
	Quota int64
	// Room, if not nil, is called before these two are used, to set them.
	Room func()
	// Short returns how much of n bytes a call on a file or a send on a stream does. nil: all of them.
	Short func(what Part, n int) int
	// Decays is called once for each read of a file. It reports whether a sector of the bytes has become unreadable,
	// which it stays until it is overwritten as a whole. nil: none does.
	Decays func() bool
	// Lacks is called before a descriptor is made, and reports whether memory for it is short. nil: it is not.
	Lacks func() bool
	// Fail is called before each op, and before each receive, send, read, write and sync that is not an op, whose FD
	// is nil. It returns a negated errno to make it fail, or 0. nil: nothing fails. After an fsync that failed so, all
	// the data that it should have written is in memory, a part of it is on the disk, and the rest will never be
	// written, as on Linux.
	Fail func(o *op.Op) int32

	timing bool          // Timed is under way
	takes  time.Duration // the time that its accesses take
	owed   time.Duration // see Owed

	root    *inode
	cwd     *inode
	used    int64        // pages of the disk
	freed   int64        // pages that were freed since the last commit
	cuts    []*inode     // inodes that have freed some
	pending []nameChange // changes of names that a crash may undo
	now     *nameChange  // the change under way
	down    bool
	inos    uint64
}

// descriptorsMax is RLIMIT_NOFILE of a host without another limit.
const descriptorsMax = 1 << 20

// Part is a call that may be done in part.
type Part uint8

const (
	FileRead Part = iota
	FileWrite
	StreamSend
)

// part returns how much of n bytes is done.
func (h *Host) part(what Part, n int) int {
	if h.Short == nil || n < 2 {
		return n
	}
	return h.Short(what, n)
}

// lacks returns the error if memory is short, e, or if the table of descriptors is full.
func (h *Host) lacks(e int32) int32 {
	if h.Lacks != nil && h.Lacks() {
		return -e
	}
	return min(h.free(), 0)
}

// SetPorts bounds the ports for sockets that don't ask for one; 0: as many as there can be.
func (h *Host) SetPorts(most int) {
	if most <= 0 || most > ephemeralTo-ephemeralFrom+1 {
		most = ephemeralTo - ephemeralFrom + 1
	}
	h.ephemeral, h.next = most, ephemeralFrom
}

// SetDescriptors bounds how many descriptors may be open, at most a million: RLIMIT_NOFILE.
func (h *Host) SetDescriptors(most int) { h.max = min(most, descriptorsMax) }

// numbersFrom is the lowest descriptor of a host. No process has such high numbers: if one gets to the system's kernel
// by mistake, the call fails with EBADF and is noticed, where a small one would be another file of the process. The
// numbers of different hosts of a network differ too, for up to hostsApart hosts.
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

// object is what can be open. Its methods return results of system calls.
type object interface {
	// ready returns the poll mask of operations that would not wait.
	ready() uint32
	// watchers returns the list of watches to tell when more becomes ready.
	watchers() *watchList
	// released ends the object, when its last descriptor is closed.
	released()
}

// watchList is the watches of an object's readiness.
type watchList struct{ list []*Watch }

// Watch is a subscription to the readiness of an open file.
type Watch struct {
	of *watchList
	fn func()
}

// Stop ends the subscription.
func (w *Watch) Stop() {
	for i, o := range w.of.list {
		if o == w {
			w.of.list = append(w.of.list[:i:i], w.of.list[i+1:]...)
			return
		}
	}
}

// tell calls all watches.
func (l *watchList) tell() {
	for _, w := range l.list {
		w.fn()
	}
}

func (l *watchList) watchers() *watchList { return l }

// Watch calls fn whenever more may be ready than before, until Stop; fn must only record that. Watch returns nil if
// there is no such descriptor.
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

// Ready returns the poll mask of a descriptor, POLLNVAL if it is not open.
func (h *Host) Ready(fd int32) uint32 {
	o := h.at(fd)
	if o == nil {
		return sys.PollNval
	}
	return o.ready()
}

// entry returns the table's entry of a descriptor; nil if it is not open.
func (h *Host) entry(fd int32) *number {
	if fd < h.first || int(fd-h.first) >= len(h.numbers) {
		return nil
	}
	return h.numbers[fd-h.first]
}

// at returns the open file of a descriptor; nil if it is not open.
func (h *Host) at(fd int32) *openFile {
	if n := h.entry(fd); n != nil {
		return n.file
	}
	return nil
}

// find returns the object of a descriptor as a T. If it is of another type, the error is other.
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

// free returns the lowest free number; -EMFILE if none is free, and -EIO without power.
func (h *Host) free() int32 {
	if h.down {
		return -sys.EIO
	}
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

// made returns a descriptor for a new object.
func (h *Host) made(x object, flags int32, cloexec bool) int32 {
	fd := h.give(&openFile{refs: 1, flags: flags, object: x}, cloexec)
	if fd < 0 {
		x.released()
	}
	return fd
}

// Close frees a descriptor.
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

// Dup returns another descriptor of the same open file.
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

// Polls returns whether the descriptor is something else than a file.
func (h *Host) Polls(fd int32) int32 {
	switch {
	case h.at(fd) == nil:
		return -sys.EBADF
	case h.IsFile(fd):
		return 0
	}
	return 1
}

// settable is the flags that Setfl may change.
const settable = sys.ONonblock | sys.OAppend

// Getfl returns the flags of the open file.
func (h *Host) Getfl(fd int32) int32 {
	o := h.at(fd)
	if o == nil {
		return -sys.EBADF
	}
	return o.flags
}

// Setfl sets the flags that may change.
func (h *Host) Setfl(fd int32, flags int32) int32 {
	o := h.at(fd)
	if o == nil {
		return -sys.EBADF
	}
	o.flags = o.flags&^settable | flags&settable
	return 0
}

// Inherited reports whether programs that are started get the descriptor.
func (h *Host) Inherited(fd int32) bool {
	n := h.entry(fd)
	return n != nil && !n.cloexec
}

// Open returns how many descriptors are open.
func (h *Host) Open() (n int) {
	for _, x := range h.numbers {
		if x != nil {
			n++
		}
	}
	return n
}
