package uring

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/mask"
	"ringo/internal/sys"
)

// A Ring is one io_uring: a submission queue, a completion queue, and the descriptor that they belong to.
//
// It belongs to the thread that opened it (see the package documentation), and must not be copied. Only Enter and Wait
// wait, if asked to, and methods whose comments say that they do.
type Ring struct {
	_ noCopy

	// Submission. The *Shown pointers lead to the words in shared memory. Each word has one writer. For the words that
	// this side writes, the plain fields are authoritative; the shared word holds the value last shown to the kernel.
	sqes    unsafe.Pointer // *[sqEntries]SQE
	sqTail  uint32         // entries handed out by SQE; shared at Enter
	sqHead  uint32         // entries the kernel has consumed, as of the last look
	sqMask  uint32
	sqShift uint8 // log2 of the size of a place
	sqShown struct{ head, tail, flags *atomic.Uint32 }

	// Completion.
	cqes    unsafe.Pointer // *[cqEntries]CQE
	cqHead  uint32         // CQEs taken; shared once they have been copied
	cqTail  uint32         // CQEs made by the kernel, as of the last look
	cqMask  uint32
	cqShown struct{ head, tail, overflow, flags *atomic.Uint32 }
	cqSize  uintptr        // of a place
	cqMade  *atomic.Uint32 // the kernel's tail, like cqShown.tail, which with SetupCQEMixed is the head instead

	// The call.
	enterFD    int    // the descriptor, or its registered index
	enterFlags uint32 // flags of every enter
	special    bool   // Enter goes by enterSpecial
	arg        abi.Io_uring_getevents_arg
	ts         Timespec // what arg points to
	quick      quick
	waitArg    abi.Io_uring_getevents_arg // the argument of EnterFor
	region     *Region

	fd       atomic.Int32 // what FD returns to any goroutine
	setup    SetupFlags
	features Features
	kernel   sys.Uring // nil: the real one
	mask     *mask.Mask
	owner    int  // thread that opened the ring
	anyone   bool // Config.AnyThread
	closed   bool
	none     atomic.Uint32 // stands in for shared words once the ring is closed, and with SetupCQEMixed for the CQ tail
	regions  []region
	memory   []byte // Config.Memory
	cqesAt   uint32 // where the CQEs are in the rings' memory
	sqArray  uint32 // where the array of indices is

	tableLock sync.Mutex // guards pinned, and changes of fd: CloneBuffers of another ring reads both
	pinned    []iovec    // registered buffers, kept alive

	disabled    bool // until Enable
	wantsRingFD bool // register the descriptor at Enable
}

// A region is mapped memory.
type region struct {
	p    unsafe.Pointer
	size int
	kept bool // not one of the queues: stays mapped when Resize replaces them
}

// noCopy makes go vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// attach points the ring at its shared memory, whose layout p describes. sqRing and cqRing may be the same.
func (r *Ring) attach(p *abi.Io_uring_params, sqRing, cqRing, sqes unsafe.Pointer) {
	word := func(base unsafe.Pointer, off uint32) *atomic.Uint32 {
		return (*atomic.Uint32)(unsafe.Add(base, off))
	}
	r.sqes = sqes
	r.sqMask = p.Sq_entries - 1
	r.sqShift, r.cqSize = sqeShift(r.setup), 1<<cqeShift(r.setup)
	r.sqShown.head = word(sqRing, p.Sq_off.Head)
	r.sqShown.tail = word(sqRing, p.Sq_off.Tail)
	r.sqShown.flags = word(sqRing, p.Sq_off.Flags)
	r.sqHead = r.sqShown.head.Load()
	r.sqTail = r.sqShown.tail.Load()
	if SetupFlags(p.Flags)&SetupNoSQArray == 0 {
		// The array maps places in the SQ to SQEs. Both are used in order, so the array is the identity, written once.
		array := unsafe.Slice((*uint32)(unsafe.Add(sqRing, p.Sq_off.Array)), p.Sq_entries)
		for i := range array {
			array[i] = uint32(i)
		}
	}
	r.cqes = unsafe.Add(cqRing, p.Cq_off.Cqes)
	r.cqesAt, r.sqArray = p.Cq_off.Cqes, p.Sq_off.Array
	r.cqMask = p.Cq_entries - 1
	r.cqShown.head = word(cqRing, p.Cq_off.Head)
	r.cqShown.tail = word(cqRing, p.Cq_off.Tail)
	r.cqShown.overflow = word(cqRing, p.Cq_off.Overflow)
	if p.Cq_off.Flags != 0 { // Linux 5.8
		r.cqShown.flags = word(cqRing, p.Cq_off.Flags)
	}
	r.cqHead = r.cqShown.head.Load()
	r.cqMade = r.cqShown.tail
	if r.setup&SetupCQEMixed != 0 {
		r.cqShown.tail = &r.none
		r.none.Store(r.cqHead)
	}
	r.cqTail = r.cqHead
	r.arg.Ts = ptr(unsafe.Pointer(&r.ts))
}

// detach leaves the ring closed. The SQ then looks full and the CQ empty, so that no method touches unmapped memory.
func (r *Ring) detach() {
	r.sqes, r.cqes = nil, nil
	r.sqHead = r.sqTail - (r.sqMask + 1)
	r.cqTail = r.cqHead
	r.none.Store(r.cqHead)
	r.sqShown.head, r.sqShown.tail, r.sqShown.flags = &r.none, &r.none, new(atomic.Uint32)
	r.cqShown.head, r.cqShown.tail, r.cqShown.overflow = &r.none, &r.none, new(atomic.Uint32)
	r.cqShown.flags, r.cqMade = nil, &r.none
	r.special = true
	r.fd.Store(-1)
	r.enterFD = -1
}
