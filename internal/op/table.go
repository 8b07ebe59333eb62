package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Kind says how an op behaves as a plain call.
type Kind uint8

const (
	// Immediate ops never wait.
	Immediate Kind = iota
	// Pollable ops may find their descriptor not ready; readiness ends the wait.
	// On a regular file they are Blocking.
	Pollable
	// Blocking ops wait in the call, so drivers give them to the offload, or to the kernel by an entry.
	Blocking
	// Timed ops end by the clock; there is no call to attempt.
	Timed
)

// Def is a row of the table.
type Def struct {
	Name     string
	Kind     Kind
	Interest uint32 // poll mask, 0 for none
	// FDResult: the result is a new descriptor, which is closed if the owner does not take it.
	FDResult bool
	// Multishot: the op may complete several times. Check is the self-test of package uring that a kernel must pass to
	// do that with one entry.
	Multishot bool
	Check     string
	// Select: the op may take its buffer from a pool when there is data.
	Select bool
	// Opcode is the io_uring opcode, for the probe.
	Opcode uring.Op
	// Prep turns the op into a submission; nil if there is none. Sends have none although the kernel has opcodes for
	// them: see ready.go of driver/uring.
	Prep func(o *Op, e *uring.SQE)
	// Single is how a multishot op runs where the kernel has no multishot entry for it: by one entry after the other,
	// or by one entry, with which it ends.
	Single How
	// File: where there is no entry the op may be on a file, for which readiness means nothing.
	File bool
	// Attempt runs the op as a plain call. It does not wait, except for Blocking ops and files.
	Attempt func(o *Op) int32
	// Cached runs a Blocking op without waiting, by what is in memory, where the kernel can be told that. See
	// Op.Cached.
	Cached func(o *Op) int32
}

// Table has the rows by code.
var Table = [Codes]Def{
	Nop: {Name: "nop", Kind: Immediate, Opcode: uring.OpNop, Prep: prepNop, Attempt: attemptNop},
	Accept: {Name: "accept", Kind: Pollable, Interest: sys.PollIn, FDResult: true, Multishot: true,
		Check: uring.CheckAcceptMultishot, Single: ByEntries, Opcode: uring.OpAccept, Prep: prepAccept,
		Attempt: attemptAccept},
	Connect: {Name: "connect", Kind: Pollable, Interest: sys.PollOut, Opcode: uring.OpConnect, Prep: prepConnect,
		Attempt: attemptConnect},
	Recv: {Name: "recv", Kind: Pollable, Interest: sys.PollIn, Multishot: true, Select: true,
		Check: uring.CheckRecvMultishot, Opcode: uring.OpRecv, Prep: prepRecv, Attempt: attemptRecv},
	Send: {Name: "send", Kind: Pollable, Interest: sys.PollOut, Attempt: attemptSend},
	SendZC: {Name: "send_zc", Kind: Pollable, Interest: sys.PollOut, Opcode: uring.OpSendZC,
		Prep: prepSendZC, Attempt: attemptSend},
	Recvmsg: {Name: "recvmsg", Kind: Pollable, Interest: sys.PollIn, Opcode: uring.OpRecvmsg, Prep: prepRecvmsg,
		Attempt: attemptRecvmsg},
	Sendmsg: {Name: "sendmsg", Kind: Pollable, Interest: sys.PollOut, Attempt: attemptSendmsg},
	Poll: {Name: "poll", Kind: Pollable, Multishot: true, Check: uring.CheckPollMultishot, Opcode: uring.OpPollAdd,
		Single: ByEntry, Prep: prepPoll, Attempt: attemptPoll},
	Timeout: {Name: "timeout", Kind: Timed, Opcode: uring.OpTimeout, Prep: prepTimeout},
	Read: {Name: "read", Kind: Pollable, Interest: sys.PollIn, Opcode: uring.OpRead,
		Prep: prepRead, Attempt: attemptRead, File: true},
	Write: {Name: "write", Kind: Pollable, Interest: sys.PollOut, Opcode: uring.OpWrite, Prep: prepWrite,
		Attempt: attemptWrite, File: true},

	// Rows without an entry: these ops wait for readiness under every driver.
	Recvmmsg: {Name: "recvmmsg", Kind: Pollable, Interest: sys.PollIn, Attempt: attemptRecvmmsg},
	Sendmmsg: {Name: "sendmmsg", Kind: Pollable, Interest: sys.PollOut, Attempt: attemptSendmmsg},

	SpliceIn:  {Name: "splice(in)", Kind: Pollable, Interest: sys.PollIn, Attempt: attemptSpliceIn},
	SpliceOut: {Name: "splice(out)", Kind: Pollable, Interest: sys.PollOut, Attempt: attemptSpliceOut},
	Sendfile:  {Name: "sendfile", Kind: Pollable, Interest: sys.PollOut, Attempt: attemptSendfile},
	Room:      {Name: "room", Kind: Pollable, Interest: sys.PollOut, Attempt: attemptRoom},

	// Files: the calls may wait for a disk.
	ReadAt: {Name: "read(at)", Kind: Blocking, Opcode: uring.OpRead, Prep: prepReadAt,
		Attempt: attemptReadAt, Cached: cachedReadAt},
	WriteAt: {Name: "write(at)", Kind: Blocking, Opcode: uring.OpWrite, Prep: prepWriteAt, Attempt: attemptWriteAt,
		Cached: cachedWriteAt},
	ReadVec: {Name: "readv(at)", Kind: Blocking, Opcode: uring.OpReadv, Prep: prepReadVec, Attempt: attemptReadVec,
		Cached: cachedReadVec},
	WriteVec: {Name: "writev(at)", Kind: Blocking, Opcode: uring.OpWritev, Prep: prepWriteVec,
		Attempt: attemptWriteVec, Cached: cachedWriteVec},
	Sync: {Name: "fsync", Kind: Blocking, Opcode: uring.OpFsync, Prep: prepSync, Attempt: attemptSync},
	Allocate: {Name: "fallocate", Kind: Blocking, Opcode: uring.OpFallocate, Prep: prepAllocate,
		Attempt: attemptAllocate},
	Ftruncate: {Name: "ftruncate", Kind: Blocking, Opcode: uring.OpFtruncate, Prep: prepFtruncate,
		Attempt: attemptFtruncate},

	// Names and directories: these may wait, too. An entry costs half as much as a worker, although it also ends in a
	// thread of the kernel.
	Openat2: {Name: "openat2", Kind: Blocking, FDResult: true, Opcode: uring.OpOpenat2, Prep: prepOpenat2,
		Attempt: attemptOpenat2, Cached: cachedOpenat2},
	Statx: {Name: "statx", Kind: Blocking, Opcode: uring.OpStatx, Prep: prepStatx,
		Attempt: attemptStatx, Cached: cachedStatx},
	Mkdirat: {Name: "mkdirat", Kind: Blocking, Opcode: uring.OpMkdirat, Prep: prepMkdirat, Attempt: attemptMkdirat},
	Unlinkat: {Name: "unlinkat", Kind: Blocking, Opcode: uring.OpUnlinkat, Prep: prepUnlinkat,
		Attempt: attemptUnlinkat},
	Renameat: {Name: "renameat", Kind: Blocking, Opcode: uring.OpRenameat, Prep: prepRenameat,
		Attempt: attemptRenameat},
	Linkat: {Name: "linkat", Kind: Blocking, Opcode: uring.OpLinkat, Prep: prepLinkat, Attempt: attemptLinkat},
	Symlinkat: {Name: "symlinkat", Kind: Blocking, Opcode: uring.OpSymlinkat, Prep: prepSymlinkat,
		Attempt: attemptSymlinkat},

	// No entry, and the call may wait.
	Call: {Name: "call", Kind: Blocking, Attempt: attemptCall},
}
