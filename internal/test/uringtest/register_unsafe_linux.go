//go:build linux

package uringtest

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// Register registers the ring's descriptor, files and buffer rings, and reports which ops there are.
func (k *Kernel) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	if fd != ringFD || !k.open {
		return 0, syscall.EBADF
	}
	if !k.onThread("register") {
		return 0, syscall.EEXIST
	}
	switch op {
	case abi.IORING_REGISTER_RING_FDS:
		up := (*abi.Io_uring_rsrc_update)(arg)
		if n != 1 || up.Offset != ^uint32(0) || up.Data != ringFD {
			k.failf("a ring's descriptor is registered with %+v", *up)
			return 0, syscall.EINVAL
		}
		up.Offset = ringIndex
		return 1, 0
	case abi.IORING_UNREGISTER_RING_FDS:
		return 1, 0
	case abi.IORING_REGISTER_PROBE:
		return k.probe(arg, n)
	case abi.IORING_REGISTER_PBUF_RING:
		return k.addGroup((*abi.Io_uring_buf_reg)(arg))
	case abi.IORING_UNREGISTER_PBUF_RING:
		return k.dropGroup((*abi.Io_uring_buf_reg)(arg).Bgid)
	case abi.IORING_REGISTER_FILES:
		return 0, k.hasFiles(unsafe.Slice((*int32)(arg), n))
	case abi.IORING_REGISTER_SYNC_CANCEL:
		return 0, k.cancelAll((*abi.Io_uring_sync_cancel_reg)(arg))
	}
	return 0, syscall.EINVAL
}

func (k *Kernel) probe(arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	head := (*abi.Io_uring_probe)(arg)
	const last = abi.IORING_OP_FTRUNCATE
	head.Last_op = last
	head.Ops_len = uint8(min(n, last+1))
	list := unsafe.Slice((*abi.Io_uring_probe_op)(unsafe.Add(arg, unsafe.Sizeof(*head))), head.Ops_len)
	for i := range list {
		list[i].Op = uint8(i)
		if ops[i] != nil {
			list[i].Flags = abi.IO_URING_OP_SUPPORTED
		}
	}
	return 0, 0
}

// hasFiles keeps files open until the ring is closed.
func (k *Kernel) hasFiles(fds []int32) syscall.Errno {
	if len(k.kept) > 0 {
		return syscall.EBUSY
	}
	for _, fd := range fds {
		own := sys.Dup(fd)
		if own < 0 {
			return syscall.Errno(-own)
		}
		k.kept = append(k.kept, own)
	}
	return 0
}

// bufGroup is a ring of buffers that the program has lent.
type bufGroup struct {
	id      uint16
	ring    unsafe.Pointer
	entries uint32
	head    uint16 // how many buffers were taken
	seen    uint16 // how many buffers were looked at; lent has the ids of those that were not taken
	lent    map[uint16]bool
}

func (k *Kernel) addGroup(reg *abi.Io_uring_buf_reg) (int, syscall.Errno) {
	switch {
	case reg.Pad != 0 || reg.Resv != [3]uint64{}:
		k.failf("a buffer ring is registered with garbage: %+v", *reg)
		return 0, syscall.EINVAL
	case reg.Ring_entries == 0 || reg.Ring_entries&(reg.Ring_entries-1) != 0 ||
		reg.Ring_addr&uint64(unix.Getpagesize()-1) != 0:
		return 0, syscall.EINVAL
	case k.groups[reg.Bgid] != nil:
		return 0, syscall.EEXIST
	}
	k.groups[reg.Bgid] = &bufGroup{id: reg.Bgid, ring: pointer(reg.Ring_addr), entries: reg.Ring_entries,
		lent: make(map[uint16]bool)}
	return 0, 0
}

func (k *Kernel) dropGroup(id uint16) (int, syscall.Errno) {
	if k.groups[id] == nil {
		return 0, syscall.ENOENT
	}
	for _, r := range k.live {
		if r.selects() && r.SQE.Buf_index == id {
			k.failf("buffer group %d is taken away from %v", id, r)
		}
	}
	delete(k.groups, id)
	return 0, 0
}

// entry returns a place of the ring.
func (g *bufGroup) entry(i uint16) *abi.Io_uring_buf {
	return (*abi.Io_uring_buf)(unsafe.Add(g.ring, uintptr(uint32(i)&(g.entries-1))*unsafe.Sizeof(abi.Io_uring_buf{})))
}

// available returns how many buffers can be taken. It looks at those that came since the last call, and fails the test
// if one of them is in the ring already.
func (g *bufGroup) available(k *Kernel) int {
	tail := binary.NativeEndian.Uint16((*[16]byte)(g.ring)[14:])
	if n := uint32(tail - g.head); n > g.entries {
		k.failf("buffer group %d has %d entries, and %d buffers between head and tail", g.id, g.entries, n)
		return 0
	}
	for ; g.seen != tail; g.seen++ {
		b := g.entry(g.seen)
		if g.lent[b.Bid] {
			k.failf("buffer %d of group %d is returned, and was not taken", b.Bid, g.id)
		}
		g.lent[b.Bid] = true
	}
	return int(tail - g.head)
}

// pick returns the next buffer without taking it. If there is none, it ends the request.
func (k *Kernel) pick(r *Request) (abi.Io_uring_buf, bool) {
	g := k.groups[r.SQE.Buf_index]
	if g == nil || g.available(k) == 0 {
		k.complete(r, -int32(unix.ENOBUFS), 0)
		return abi.Io_uring_buf{}, false
	}
	if k.choose(NoBuffers, 2, r) != 0 {
		k.invent(r, -int32(unix.ENOBUFS))
		return abi.Io_uring_buf{}, false
	}
	return *g.entry(g.head), true
}

// take takes the buffer that pick returned.
func (g *bufGroup) take() {
	delete(g.lent, g.entry(g.head).Bid)
	g.head++
}

// scribble overwrites all buffers that are lent.
func (g *bufGroup) scribble(k *Kernel) {
	if g == nil {
		return
	}
	for i := range g.available(k) {
		b := g.entry(g.head + uint16(i))
		scribble(unsafe.Slice((*byte)(pointer(b.Addr)), b.Len))
	}
}
