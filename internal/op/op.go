package op

import (
	"ringo/internal/fd"
	"ringo/internal/sys"
	"ringo/uring"
)

// Code names a row of the table.
type Code uint8

// The ops. The file of each row says which fields of an Op it uses.
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
	Room
	Codes // the number of codes
)

// Flags modify an op.
type Flags uint8

const (
	// Multishot ops may complete several times, with More on all completions but the last.
	Multishot Flags = 1 << iota
	// Select ops take a buffer of the loop's pool when there is data.
	Select
	// Keep: the owner wants a descriptor that arrives after a cancel; without it the driver closes that.
	Keep
	// Full ops go on after a short count: a send ends when all bytes are sent.
	Full
	// Tried: the driver's own thread has tried the op in vain since its last Wait, so the driver need not try before
	// it waits for readiness.
	Tried
	// Rough polls for input need not report why there is input: a poller that would have to ask for that reports
	// readable for a hang-up and an error, too. The reader then finds out.
	Rough
	// Offload makes a worker run the op's call even if the kernel has an entry for it. It is for files whose kind
	// makes each entry end in a thread of the kernel, which costs more.
	Offload
	// NowOnly reads and writes fail with -EOPNOTSUPP in a plain call that might wait, on a descriptor in blocking
	// mode. It is for callers that have a thread for such calls.
	NowOnly
)

// RingGroup is the number of the loop's buffer ring.
const RingGroup = 0

// Completion flags, the bits of a CQE.
const (
	HasBuffer uint32 = 1 << 0 // the upper 16 bits are a buffer's id
	More      uint32 = 1 << 1 // another completion of this op will follow
	NotEmpty  uint32 = 1 << 2 // the socket has more
	Notif     uint32 = 1 << 3 // no result: the memory lent to a SendZC belongs to the owner again
)

// ModeFile in Op.Mode makes a plain read or write of a regular file use the offset, in a call that may wait for the
// disk. Drivers set it when they know that the file is one.
const ModeFile = 0x80

// ModeNow in Op.Mode makes a plain read, at the file's position, return what is in memory, and an error if it would
// have to wait for the disk or the kernel can't tell.
const ModeNow = 0x81

// BufferID returns the buffer's id in completion flags.
func BufferID(flags uint32) uint32 { return flags >> 16 }

// State is where an op is in its life.
//
//	Idle ──Submit──▶ Queued ──▶ InFlight ──last completion──▶ Idle
//	                   └────────────────────────▲ (cancelled before the kernel saw it)
//
// A Queued op is with the driver, and the kernel does not have it yet. The driver changes the state. The owner may use
// the op again, or free it, once it is Idle.
type State uint8

// The states.
const (
	Free State = iota
	Idle
	Queued
	InFlight
)

// Sink receives an op's completions, on the loop's thread, never inside the driver. flags has More on all but the last
// one. A Sink must not wait: it stores the result and makes a task ready.
type Sink interface {
	Complete(o *Op, res int32, flags uint32)
}

// Op is one operation in its slot. Its owner fills it in between Get and Submit, and must not touch it from then until
// the last completion.
type Op struct {
	Sink Sink
	FD   *fd.FD // held from Submit to the last completion
	Buf  []byte // the kernel may use it for as long
	Ext  *Ext   // for ops that need addresses or vectors, see Slab.Ext
	Off  int64  // where in the file; negative: at its position

	// Next links the op into a list of the driver.
	Next *Op

	Code  Code
	Flags Flags
	State State
	// Canceled is set by the driver's Cancel. The driver closes a descriptor that still arrives, unless Keep is set.
	Canceled bool
	Mode     uint8 // for the driver: how the op waits
	Tries    uint8 // for the driver: cancels that found no op
	Notifs   int16 // for the driver: notifications still to come

	CallFlags uint32 // of the system call: MSG_, AT_, RENAME_, FALLOC_; of file reads and writes: the I/O priority
	Limit     uint32 // the most bytes of a splice or a multishot receive
	Other     int32  // the number of the file or pipe on the other side of a splice
	Events    uint16 // the poll mask that a Poll waits for
	// Behind is the errno that a Full op met after the bytes that it has moved.
	Behind int16
	// Res is for the driver: a result that is known before the op has ended, or where the op is in the offload.
	Res int32
	// Done counts the bytes that a Full op has moved so far.
	Done uint32

	index uint32
	gen   uint32
}

// Ext is the memory of ops that pass more than one slice. The kernel may read and write all of it until the last
// completion.
type Ext struct {
	Addr sys.Sockaddr
	// Named makes a receive store the sender in Addr, and a send go to Addr.
	Named bool
	// Control is the control messages of a send, or room for those of a receive. The kernel may use it as long as Buf.
	Control []byte
	// Batch has the messages of a Recvmmsg or Sendmmsg.
	Batch *sys.Batch
	// Name is the memory of ops on names.
	Name *Name

	// Vec has the slices of a ReadVec or WriteVec, see SetVec.
	Vec []sys.Iovec
	// Len is the number of bytes from Off on, for an Allocate.
	Len int64
	// Call is the function of a Call.
	Call func()

	Msg  sys.Msghdr
	Iov  [IovMax]sys.Iovec
	Bufs [IovMax][]byte // keeps reachable what Iov refers to
	Time uring.Timespec // of a Timeout

	next *Ext
}

// IovMax is the most slices of one message.
const IovMax = 8

// Token returns what the kernel carries for the op.
func (o *Op) Token() uint64 { return uint64(o.gen)<<32 | uint64(o.index) }

// Def returns the op's row.
func (o *Op) Def() *Def { return &Table[o.Code] }

// Ended returns the result of an op that its own call has ended with res. For a Full op that has moved bytes this is
// their count. The error is then in Behind, because a socket reports it only once.
func (o *Op) Ended(res int32) int32 {
	if o.Flags&Full == 0 || o.Done == 0 {
		return res
	}
	if res < 0 {
		o.Behind = int16(-res)
	}
	return int32(o.Done)
}

// Failed returns the result of an op that was ended with the error res by something else than its own call: a cancel,
// or the death of the driver. For a Full op that has moved bytes it is their count.
func (o *Op) Failed(res int32) int32 {
	if o.Flags&Full != 0 && o.Done > 0 {
		return int32(o.Done)
	}
	return res
}

// Selects reports whether the op takes its memory from the pool when there is data.
func (o *Op) Selects() bool { return o.Flags&(Select|Multishot) != 0 && o.Def().Select }

// Interest returns the readiness that the op waits for, a poll mask.
func (o *Op) Interest() uint32 {
	if o.Code == Poll {
		return uint32(o.Events)
	}
	return Table[o.Code].Interest
}

// Cached runs a Blocking op as a plain call that does not wait. It returns -EAGAIN if the call would have to wait, and
// -EOPNOTSUPP if the kernel can't be told that, for this op or this file.
func (o *Op) Cached() int32 {
	if cached := Table[o.Code].Cached; cached != nil {
		return cached(o)
	}
	return -sys.EOPNOTSUPP
}

// Attempt runs the op as a plain call that does not wait, except for Blocking ops and files. The result is that of a
// completion, or -EAGAIN if the op would have to wait.
func (o *Op) Attempt() int32 { return Table[o.Code].Attempt(o) }
