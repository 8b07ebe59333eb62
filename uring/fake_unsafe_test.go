package uring

import (
	"testing"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
)

// fakeKernel is a kernel in plain memory, as far as the rings go. Its indices start where the test says, and what it
// does in an Enter the test decides.
type fakeKernel struct {
	sqHead, sqTail, sqFlags, cqHead, cqTail *uint32
	array                                   []uint32 // nil with NO_SQARRAY
	sqes                                    []SQE
	cqes                                    []CQE

	onRegister func(op uint32) (int, posix.Errno) // nil: knows nothing
	onEnter    func(submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno

	memory           []uint64 // the rings, laid out as Linux does it
	sqStart, cqStart uint32
	entries          uint32
	noArray          bool
	closed, unmapped int
	mapFresh         bool         // gives fresh pages, too
	fresh            [][]uint64   // those
	setups           []SetupFlags // asked for
	refuse           func(f SetupFlags) posix.Errno
}

func (k *fakeKernel) Setup(entries uint32, p *abi.Io_uring_params) (int, posix.Errno) {
	flags := SetupFlags(p.Flags)
	k.setups = append(k.setups, flags)
	if k.refuse != nil {
		if errno := k.refuse(flags); errno != 0 {
			return -1, errno
		}
	}
	k.noArray = flags&SetupNoSQArray != 0
	k.entries = entries
	p.Sq_entries = entries
	if flags&SetupCQSize == 0 {
		p.Cq_entries = 2 * entries
	}
	p.Features = uint32(FeatSingleMmap | FeatNoDrop | FeatExtArg)
	p.Sq_off = abi.Io_sqring_offsets{Head: 0, Tail: 4, Ring_mask: 16, Ring_entries: 24, Flags: 36, Dropped: 32}
	p.Cq_off = abi.Io_cqring_offsets{Head: 8, Tail: 12, Ring_mask: 20, Ring_entries: 28,
		Overflow: 44, Flags: 40, Cqes: 64}
	arrayAt := 64 + p.Cq_entries*cqeSize
	k.memory = make([]uint64, (arrayAt+4*entries)/8)
	base := unsafe.Pointer(&k.memory[0])
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Add(base, off)) }
	k.sqHead, k.sqTail, k.sqFlags, k.cqHead, k.cqTail = word(0), word(4), word(36), word(8), word(12)
	k.cqes = unsafe.Slice((*CQE)(unsafe.Add(base, 64)), p.Cq_entries)
	if !k.noArray {
		p.Sq_off.Array = arrayAt
		k.array = unsafe.Slice(word(arrayAt), entries)
	}
	k.sqes = make([]SQE, entries)
	*k.sqHead, *k.sqTail, *k.cqHead, *k.cqTail = k.sqStart, k.sqStart, k.cqStart, k.cqStart
	return 1 << 20, 0
}

func (k *fakeKernel) Map(fd int, offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	if k.mapFresh && fd < 0 {
		k.fresh = append(k.fresh, make([]uint64, size/8))
		return unsafe.Pointer(&k.fresh[len(k.fresh)-1][0]), 0
	}
	if offset == abi.IORING_OFF_SQES {
		return unsafe.Pointer(&k.sqes[0]), 0
	}
	if offset != abi.IORING_OFF_SQ_RING || size > 8*len(k.memory) {
		return nil, posix.EINVAL
	}
	return unsafe.Pointer(&k.memory[0]), 0
}

func (k *fakeKernel) Unmap(unsafe.Pointer, int) posix.Errno { k.unmapped++; return 0 }
func (k *fakeKernel) Close(int) posix.Errno                 { k.closed++; return 0 }

func (k *fakeKernel) Register(_ int, op uint32, _ unsafe.Pointer, _ uint32) (int, posix.Errno) {
	if k.onRegister != nil {
		return k.onRegister(op)
	}
	return 0, posix.EINVAL
}

func (k *fakeKernel) Enter(_ int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno {
	return k.onEnter(submit, wait, flags, arg)
}

// pending is how many entries the tail shows.
func (k *fakeKernel) pending() uint32 { return *k.sqTail - *k.sqHead }

// consume takes the oldest entry.
func (k *fakeKernel) consume() SQE {
	i := *k.sqHead & (k.entries - 1)
	if k.array != nil {
		i = k.array[i]
	}
	e := k.sqes[i]
	k.sqes[i] = SQE{Op: 255, UserData: ^uint64(0)} // the place is the program's again, in whatever state
	*k.sqHead++
	return e
}

func (k *fakeKernel) cqSpace() int { return len(k.cqes) - int(*k.cqTail-*k.cqHead) }

// post makes a CQE.
func (k *fakeKernel) post(c CQE) {
	k.cqes[*k.cqTail&uint32(len(k.cqes)-1)] = c
	*k.cqTail++
}

// scribble overwrites what the program has given back, so that it is noticed if it still looks there.
func (k *fakeKernel) scribble() {
	for i := *k.cqTail; i != *k.cqHead+uint32(len(k.cqes)); i++ {
		k.cqes[i&uint32(len(k.cqes)-1)] = CQE{UserData: ^uint64(0), Res: -1}
	}
}

// openFake opens a ring on the kernel.
func openFake(t testing.TB, k *fakeKernel, entries int, cfg Config) *Ring {
	t.Helper()
	cfg.seam.Kernel, cfg.AnyThread = k, true
	r, err := Open(entries, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
