//go:build linux

package uringtest

import (
	"math/bits"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// The offsets of Linux's words of the rings, which are in one mapping.
const (
	sqHeadAt, sqTailAt, sqMaskAt, sqEntriesAt, sqDroppedAt, sqFlagsAt  = 0, 4, 16, 24, 32, 36
	cqHeadAt, cqTailAt, cqMaskAt, cqEntriesAt, cqOverflowAt, cqFlagsAt = 8, 12, 20, 28, 44, 40

	cqesAt = 64
)

// setupFlags are the flags that this kernel supports.
const setupFlags = abi.IORING_SETUP_CQSIZE | abi.IORING_SETUP_CLAMP | abi.IORING_SETUP_SUBMIT_ALL |
	abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_TASKRUN_FLAG | abi.IORING_SETUP_SINGLE_ISSUER |
	abi.IORING_SETUP_DEFER_TASKRUN | abi.IORING_SETUP_NO_SQARRAY

const features = abi.IORING_FEAT_SINGLE_MMAP | abi.IORING_FEAT_NODROP | abi.IORING_FEAT_SUBMIT_STABLE |
	abi.IORING_FEAT_RW_CUR_POS | abi.IORING_FEAT_CUR_PERSONALITY | abi.IORING_FEAT_FAST_POLL |
	abi.IORING_FEAT_POLL_32BITS | abi.IORING_FEAT_EXT_ARG |
	abi.IORING_FEAT_NATIVE_WORKERS | abi.IORING_FEAT_CQE_SKIP | abi.IORING_FEAT_NO_IOWAIT

// ringFD stands for the ring; it is no descriptor of the process. ringIndex is the result of registering it.
const ringFD, ringIndex = 1 << 28, 0

// rings is the memory shared with the program, and the kernel's own copies of what it needs to know about it.
type rings struct {
	base, sqes       unsafe.Pointer
	size, sqesSize   int
	entries, cqSize  uint32
	arrayAt          uint32 // 0: none
	sqHead           uint32 // entries taken
	cqTail, scribble uint32 // how many CQEs were posted; up to which place CQEs were given back and overwritten
}

// Setup makes the ring. A Kernel makes only one.
func (k *Kernel) Setup(entries uint32, p *abi.Io_uring_params) (int, syscall.Errno) {
	switch {
	case k.thread >= 0:
		return -1, syscall.EMFILE
	case entries == 0 || p.Flags&^uint32(setupFlags) != 0,
		p.Flags&abi.IORING_SETUP_DEFER_TASKRUN != 0 && p.Flags&abi.IORING_SETUP_SINGLE_ISSUER == 0:
		return -1, syscall.EINVAL
	case p.Resv != [3]uint32{} || p.Features != 0:
		k.failf("setup with garbage in the parameters: %+v", *p)
		return -1, syscall.EINVAL
	}
	p.Sq_entries = roundUp(entries)
	if p.Flags&abi.IORING_SETUP_CQSIZE == 0 {
		p.Cq_entries = 2 * p.Sq_entries
	} else if p.Cq_entries = roundUp(p.Cq_entries); p.Cq_entries < p.Sq_entries {
		return -1, syscall.EINVAL
	}
	p.Features = features
	p.Sq_off = abi.Io_sqring_offsets{Head: sqHeadAt, Tail: sqTailAt, Ring_mask: sqMaskAt, Ring_entries: sqEntriesAt,
		Flags: sqFlagsAt, Dropped: sqDroppedAt}
	p.Cq_off = abi.Io_cqring_offsets{Head: cqHeadAt, Tail: cqTailAt, Ring_mask: cqMaskAt, Ring_entries: cqEntriesAt,
		Overflow: cqOverflowAt, Cqes: cqesAt, Flags: cqFlagsAt}
	k.rings = rings{entries: p.Sq_entries, cqSize: p.Cq_entries, sqHead: k.cfg.Start, cqTail: k.cfg.Start,
		scribble: k.cfg.Start - 1}
	k.rings.size = int(cqesAt + p.Cq_entries*uint32(unsafe.Sizeof(abi.Io_uring_cqe{})))
	if p.Flags&abi.IORING_SETUP_NO_SQARRAY == 0 {
		k.rings.arrayAt = uint32(k.rings.size)
		p.Sq_off.Array = k.rings.arrayAt
		k.rings.size += int(4 * p.Sq_entries)
	}
	k.rings.sqesSize = int(p.Sq_entries) * int(unsafe.Sizeof(abi.Io_uring_sqe{}))
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, err.(syscall.Errno)
	}
	k.epoll, k.thread, k.flags, k.open = fd, unix.Gettid(), p.Flags, true
	k.defers = p.Flags&abi.IORING_SETUP_DEFER_TASKRUN != 0
	return ringFD, 0
}

func roundUp(n uint32) uint32 { return 1 << bits.Len32(max(n, 1)-1) }

// Map returns a part of the ring, or fresh memory. It is really mapped, so that a use after Unmap crashes.
func (k *Kernel) Map(fd int, offset uint64, size int) (unsafe.Pointer, syscall.Errno) {
	want := size
	switch {
	case fd == -1:
	case fd != ringFD || !k.open:
		return nil, syscall.EBADF
	case offset == abi.IORING_OFF_SQ_RING && k.rings.base == nil:
		want = k.rings.size
	case offset == abi.IORING_OFF_SQES && k.rings.sqes == nil:
		want = k.rings.sqesSize
	default:
		return nil, syscall.EINVAL
	}
	if size != want {
		k.failf("the ring's memory at %#x is mapped with %d bytes, want %d", offset, size, want)
		return nil, syscall.EINVAL
	}
	p, errno := sys.UringMap(-1, 0, size)
	switch {
	case errno != 0 || fd == -1:
	case offset == abi.IORING_OFF_SQES:
		k.rings.sqes = p
	default:
		k.rings.base = p
		k.word(sqMaskAt).Store(k.rings.entries - 1)
		k.word(sqEntriesAt).Store(k.rings.entries)
		k.word(cqMaskAt).Store(k.rings.cqSize - 1)
		k.word(cqEntriesAt).Store(k.rings.cqSize)
		for _, at := range []uint32{sqHeadAt, sqTailAt, cqHeadAt, cqTailAt} {
			k.word(at).Store(k.cfg.Start)
		}
	}
	return p, errno
}

// Unmap unmaps memory.
func (k *Kernel) Unmap(p unsafe.Pointer, size int) syscall.Errno {
	for _, g := range k.groups {
		if g.ring == p {
			k.failf("the ring of buffer group %d is unmapped, and still registered", g.id)
		}
	}
	switch p {
	case k.rings.base:
		k.rings.base = nil
	case k.rings.sqes:
		k.rings.sqes = nil
	}
	return sys.UringUnmap(p, size)
}

// Close ends the ring. Requests that wait end with it, so none of them may name memory.
func (k *Kernel) Close(fd int) syscall.Errno {
	if fd != ringFD || !k.open {
		return syscall.EBADF
	}
	k.onThread("close")
	k.open = false
	k.Live(func(r *Request) {
		if (r.def.memory != nil || r.selects()) && len(k.kept) == 0 {
			k.failf("the ring is closed, and the kernel still has %v", r)
		}
	})
	clear(k.groups)
	for _, fd := range k.kept { // their close tells the program that no request is under way
		sys.Close(fd)
	}
	if err := unix.Close(k.epoll); err != nil {
		return err.(syscall.Errno)
	}
	return 0
}

// word returns a word of the rings.
func (k *Kernel) word(at uint32) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Add(k.rings.base, at))
}

// sqe returns the entry at an index of the SQ.
func (k *Kernel) sqe(index uint32) *abi.Io_uring_sqe {
	i := index & (k.rings.entries - 1)
	if k.rings.arrayAt != 0 {
		i = k.word(k.rings.arrayAt + 4*i).Load()
	}
	return (*abi.Io_uring_sqe)(unsafe.Add(k.rings.sqes, uintptr(i)*unsafe.Sizeof(abi.Io_uring_sqe{})))
}

// cqe returns the place of a CQE.
func (k *Kernel) cqe(index uint32) *abi.Io_uring_cqe {
	i := index & (k.rings.cqSize - 1)
	return (*abi.Io_uring_cqe)(unsafe.Add(k.rings.base, cqesAt+uintptr(i)*unsafe.Sizeof(abi.Io_uring_cqe{})))
}

// pointer turns a number in an entry into an address.
func pointer(addr uint64) unsafe.Pointer {
	p := uintptr(addr)
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}
