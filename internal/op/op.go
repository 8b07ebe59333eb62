package op

import (
	"ringo/internal/fd"
	"ringo/internal/sys"
	"ringo/uring"
)

// Code names a row of the table.
type Code uint8

// The ops. What each uses of an Op's fields stands in its row's file.
const (
	Nop Code = iota
	Accept
	Connect
	Recv
	Send
	Recvmsg
	Sendmsg
	Poll
	Timeout
	Read
	Write
	Recvmmsg
	Sendmmsg
	SpliceIn
	SpliceOut
	Sendfile
	SendZC
	ReadAt
	WriteAt
	ReadVec
	WriteVec
	Sync
	Allocate
	Ftruncate
	Openat2
	Statx
	Mkdirat
	Unlinkat
	Renameat
	Linkat
	Symlinkat
	Call
	Codes // how many there are
)

// Flags modify an op.
type Flags uint8

const (
	// Multishot ops yield completions until one comes without More.
	Multishot Flags = 1 << iota
	// Select ops take their buffer from the loop's pool when data is there.
	Select
	// Keep: a descriptor that comes after a cancel is still wanted; without it the
	// driver closes such a one.
	Keep
	// Full ops go on after a short count: a send ends when all went out.
	Full
	// Tried ops were tried in vain by the driver's own thread since its last
	// Wait, so the driver need not try before it waits for readiness.
	Tried
	// Rough polls for input need not tell why there is some: where a poller has to ask
	// for that, it reports readable for a hang-up and an error, too. Whoever reads
	// then finds out.
	Rough
	// Offload: a worker makes the op's call also where there is an entry for it. For files
	// of whose kind each entry ends with a thread of the kernel's, which costs more.
	Offload
	// NowOnly reads and writes give -EOPNOTSUPP in a plain call on a descriptor in blocking mode where they might wait,
	// for callers that have a thread for that.
	NowOnly
)

// RingGroup is the number of the loop's buffer ring.
const RingGroup = 0

// Completion flags, the bits of a CQE.
const (
	HasBuffer uint32 = 1 << 0 // the upper 16 bits are a buffer's id
	More      uint32 = 1 << 1 // another completion of this op will follow
	NotEmpty  uint32 = 1 << 2 // the socket has more to give
	Notif     uint32 = 1 << 3 // no result: what a SendZC was lent is its owner's again
)

// ModeFile in Op.Mode makes a plain read or write go to a regular file by offset,
// in a call that may wait for the disk. Drivers set it when they know.
const ModeFile = 0x80

// ModeNow in Op.Mode makes a plain read of a file, at its position, give what is in memory,
// and an error where it would have to wait for the disk or can't tell.
const ModeNow = 0x81

// BufferID takes the buffer's id out of completion flags.
func BufferID(flags uint32) uint32 { return flags >> 16 }

// State is where an op is in its life.
//
//	Idle ──Submit──▶ Queued ──▶ InFlight ──last completion──▶ Idle
//	                   └────────────────────────▲ (cancelled before the kernel saw it)
//
// Queued means that the driver has it and the kernel has not. The driver moves
// an op; its owner may use it again, or free it, once it is Idle.
type State uint8

// The states.
const (
	Free State = iota
	Idle
	Queued
	InFlight
)

// Sink is told of an op's completions, on the loop's thread, never inside the
// driver. flags has More on all but the last one. A Sink does no waiting: it
// notes the result and makes somebody ready.
type Sink interface {
	Complete(o *Op, res int32, flags uint32)
}

// Op is one operation in its slot. Its owner fills it between Get and Submit and
// leaves it alone until the last completion.
type Op struct {
	Sink Sink
	FD   *fd.FD // held from Submit to the last completion
	Buf  []byte // lent to the kernel for as long
	Ext  *Ext   // for ops that need addresses or vectors, see Slab.Ext
	Off  int64  // where in the file; negative is its position

	// Next links the op into a list of the driver's.
	Next *Op

	Code  Code
	Flags Flags
	State State
	// Canceled is set by the driver's Cancel. A descriptor that still comes
	// is closed by the driver.
	Canceled bool
	Mode     uint8 // the driver's own note of how the op waits
	Tries    uint8 // the driver's: cancels that found nothing
	Notifs   int16 // the driver's: notifications that are still to come

	CallFlags uint32 // of the system call: MSG_, AT_, RENAME_, FALLOC_; of a file's reads and writes: the priority
	Limit     uint32 // how many bytes at most: of a splice or a multishot receive
	Other     int32  // the number of the file or the pipe on the other side of a splice
	Events    uint16 // that a Poll waits for, a poll mask
	// Behind is the error, an errno, that a Full op met behind what it has done.
	Behind int16
	// Res is the driver's: a result that is known before the op has ended.
	Res int32
	// Done counts the bytes that went before in a Full op.
	Done uint32

	index uint32
	gen   uint32
}

// Ext is the memory of ops that pass more than one slice: all of it may be read
// or written by the kernel until the last completion.
type Ext struct {
	Addr sys.Sockaddr
	// Named: a receive notes in Addr who sent, and a send goes to Addr.
	Named bool
	// Control is lent as Buf is: the control messages of a send, or room for those
	// of a receive.
	Control []byte
	// Batch is the messages of a Recvmmsg or Sendmmsg.
	Batch *sys.Batch
	// Name is what ops on names pass.
	Name *Name

	// Vec is the slices of a ReadVec or WriteVec, see SetVec.
	Vec []sys.Iovec
	// Len is how many bytes from Off on the op is about.
	Len int64
	// Call is what a Call calls.
	Call func()

	Msg  sys.Msghdr
	Iov  [IovMax]sys.Iovec
	Bufs [IovMax][]byte // keeps reachable what Iov names
	Time uring.Timespec // of a Timeout

	next *Ext
}

// IovMax is how many slices one vectored op takes.
const IovMax = 8

// Token is what the kernel carries for the op.
func (o *Op) Token() uint64 { return uint64(o.gen)<<32 | uint64(o.index) }

// Def is the op's row.
func (o *Op) Def() *Def { return &Table[o.Code] }

// Ended is the result of an op that a call has ended with res. Of a Full op it is the
// count of what went before; the error behind that is then in Behind, because a socket
// tells it only once.
func (o *Op) Ended(res int32) int32 {
	if o.Flags&Full == 0 || o.Done == 0 {
		return res
	}
	if res < 0 {
		o.Behind = int16(-res)
	}
	return int32(o.Done)
}

// Failed is the result of an op that something else than its own call has ended with the error res: a cancel, a driver
// that died. Of a Full op it is the count of what went before.
func (o *Op) Failed(res int32) int32 {
	if o.Flags&Full != 0 && o.Done > 0 {
		return int32(o.Done)
	}
	return res
}

// Selects reports whether the op takes its memory from the pool when data is there.
func (o *Op) Selects() bool { return o.Flags&(Select|Multishot) != 0 && o.Def().Select }

// Interest is the readiness that the op waits for, a poll mask.
func (o *Op) Interest() uint32 {
	if o.Code == Poll {
		return uint32(o.Events)
	}
	return Table[o.Code].Interest
}

// Cached runs a Blocking op as a plain call that does not wait. -EAGAIN says that it
// would have to, -EOPNOTSUPP that it can't be told for this op or this file.
func (o *Op) Cached() int32 {
	if cached := Table[o.Code].Cached; cached != nil {
		return cached(o)
	}
	return -sys.EOPNOTSUPP
}

// Attempt runs the op as a plain call that does not wait. The result is that of
// a completion; -EAGAIN says that it would have to wait.
func (o *Op) Attempt() int32 { return Table[o.Code].Attempt(o) }
