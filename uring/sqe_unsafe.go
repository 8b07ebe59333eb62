package uring

import (
	"time"
	"unsafe"

	"ringo/internal/abi"
)

// SQEFlags are the flags of one SQE, IOSQE_. See io_uring_enter(2).
type SQEFlags uint8

const (
	// SQEFixedFile is IOSQE_FIXED_FILE (Linux 5.1): FD is an index into the registered files.
	SQEFixedFile SQEFlags = abi.IOSQE_FIXED_FILE
	// SQEDrain is IOSQE_IO_DRAIN (Linux 5.2): this entry starts once all earlier ones have ended, and later ones wait
	// for it; before Linux 6.16 those may overtake it.
	SQEDrain SQEFlags = abi.IOSQE_IO_DRAIN
	// SQELink is IOSQE_IO_LINK (Linux 5.3): the next entry starts once this one has succeeded, in full.
	SQELink SQEFlags = abi.IOSQE_IO_LINK
	// SQEHardLink is IOSQE_IO_HARDLINK (Linux 5.5): the next entry starts once this one has ended.
	SQEHardLink SQEFlags = abi.IOSQE_IO_HARDLINK
	// SQEAsync is IOSQE_ASYNC (Linux 5.6): the request goes to a worker thread of the kernel at once.
	SQEAsync SQEFlags = abi.IOSQE_ASYNC
	// SQEBufferSelect is IOSQE_BUFFER_SELECT (Linux 5.7): the kernel picks a buffer from the group in BufIndex.
	SQEBufferSelect SQEFlags = abi.IOSQE_BUFFER_SELECT
	// SQECQESkipSuccess is IOSQE_CQE_SKIP_SUCCESS (Linux 5.17): the request makes a CQE only if it fails; linked
	// entries that its failure cancels make none.
	SQECQESkipSuccess SQEFlags = abi.IOSQE_CQE_SKIP_SUCCESS
)

// An SQE is a submission queue entry: one request to the kernel, in the kernel's own layout. Ring.SQE returns the entry
// in the ring itself; a Prep method fills it in. Where fields share a place in the kernel's struct, SQE has one of
// their names; the comments list the others.
//
//	 0 Op      1 Flags   2 IOPrio   4 FD          8 Off
//	16 Addr                        24 Len        28 OpFlags
//	32 UserData                    40 BufIndex   42 Personality   44 FileIndex
//	48 Addr3                       56 AttrMask
//
// Fields that an op does not use must be zero, or it fails with EINVAL.
//
// Only the ring's owner may fill in an entry, and only until the next Enter. A Prep method sets every field except
// UserData, so call Set methods after it; only the user data may be set before. No method waits or fails: errors show
// in the CQE.
//
// An entry lies in the ring's memory, which Ring.Close and Ring.Resize unmap; after them a pointer to it dangles.
// Accessing the entry then, as each of its methods does, is a fault that ends the program and can't be recovered, or
// affects other memory that has been mapped there since. Don't keep an entry beyond the next Enter; copy it instead.
type SQE struct {
	Op          Op
	Flags       SQEFlags
	IOPrio      uint16 // also the flags of accept, recv and send
	FD          int32
	Off         uint64 // addr2, cmd_op
	Addr        uint64 // splice_off_in, level and optname
	Len         uint32
	OpFlags     uint32 // rw_flags, msg_flags, timeout_flags, …: flags of the op
	UserData    uint64
	BufIndex    uint16 // buf_group
	Personality uint16
	FileIndex   uint32 // splice_fd_in, zcrx_ifq_idx, optlen, addr_len
	Addr3       uint64 // attr_ptr, optval; the bytes of a command begin here
	AttrMask    uint64 // attr_type_mask
}

const sqeSize = 64

// A struct whose size or offsets differ from the kernel's does not compile.
var (
	_ [unsafe.Sizeof(abi.Kernel_timespec{})]byte             = [unsafe.Sizeof(Timespec{})]byte{}
	_ [sqeSize]byte                                          = [unsafe.Sizeof(SQE{})]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Off)]byte          = [unsafe.Offsetof(SQE{}.Off)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Addr)]byte         = [unsafe.Offsetof(SQE{}.Addr)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Len)]byte          = [unsafe.Offsetof(SQE{}.Len)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Rw_flags)]byte     = [unsafe.Offsetof(SQE{}.OpFlags)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.User_data)]byte    = [unsafe.Offsetof(SQE{}.UserData)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Buf_index)]byte    = [unsafe.Offsetof(SQE{}.BufIndex)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Splice_fd_in)]byte = [unsafe.Offsetof(SQE{}.FileIndex)]byte{}
	_ [unsafe.Offsetof(abi.Io_uring_sqe{}.Addr3)]byte        = [unsafe.Offsetof(SQE{}.Addr3)]byte{}
)

// prep fills in the entry, zeroes the fields that have no argument, and leaves the user data alone. It stores field by
// field: a composite literal would be built on the stack and copied, at more than twice the cost (BenchmarkPrep).
func (e *SQE) prep(op Op, fd int, addr uint64, n uint32, off uint64, opFlags uint32) {
	e.Op = op
	e.Flags = 0
	e.IOPrio = 0
	e.FD = int32(fd)
	e.Off = off
	e.Addr = addr
	e.Len = n
	e.OpFlags = opFlags
	e.BufIndex = 0
	e.Personality = 0
	e.FileIndex = 0
	e.Addr3 = 0
	e.AttrMask = 0
}

// SetUserData sets the user data that the CQE will carry. The kernel does not interpret it. It must not be a Go
// pointer: nothing would keep the object alive or in place.
func (e *SQE) SetUserData(u uint64) { e.UserData = u }

// SetFlags adds flags to those that the Prep method has set.
func (e *SQE) SetFlags(f SQEFlags) { e.Flags |= f }

// SetBufGroup makes the kernel pick a buffer from the group, once the request can transfer data.
func (e *SQE) SetBufGroup(group uint16) {
	e.Flags |= SQEBufferSelect
	e.BufIndex = group
}

// A Timespec is the kernel's struct __kernel_timespec, 64 bits on every machine.
type Timespec struct {
	Sec  int64
	Nsec int64
}

// NewTimespec converts a duration to the kernel's form. A negative one becomes 0, because the kernel refuses negative
// times.
func NewTimespec(d time.Duration) Timespec {
	d = max(0, d)
	return Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
}

// ptr converts a pointer to the number that an SQE holds. The number keeps nothing alive; the caller has to. The
// assignment to escaped never runs, but it makes the compiler put the memory on the heap, and not on a stack, which may
// move.
func ptr(p unsafe.Pointer) uint64 {
	if never {
		escaped = p
	}
	return uint64(uintptr(p))
}

var (
	never bool
	//lint:ignore U1000 nobody is to read it
	escaped unsafe.Pointer
)

// maxIO is the most that the kernel transfers in one request (MAX_RW_COUNT, with 4 KiB pages). Longer slices are cut to
// it, as read(2) and send(2) do: a short count is a legal result of each op here.
const maxIO = 0x7ffff000

func bytesOf(p []byte) (addr uint64, n uint32) {
	return ptr(unsafe.Pointer(unsafe.SliceData(p))), uint32(min(len(p), maxIO))
}
