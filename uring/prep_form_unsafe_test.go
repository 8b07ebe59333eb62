package uring

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/test/alloctest"
)

// A prepForm is what a method of SQE makes of an entry, in the numbers of the ABI.
type prepForm struct {
	method string
	fill   func(e *SQE)
	want   SQE
}

// What the forms below point to.
var formed struct {
	mem     [64]byte
	word    uint32
	ts      Timespec
	fds     [2]int32
	waiters [3]FutexWaiter
	pi      Integrity
	path    [8]byte
	name    [8]byte
}

func addr[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// half is a 16-bit number in the first two of four bytes, word one in the first four of eight.
func half(n uint16) uint32 {
	if abi.BigEndian {
		return uint32(n) << 16
	}
	return uint32(n)
}

func word(first, second uint32) uint64 {
	if abi.BigEndian {
		return uint64(first)<<32 | uint64(second)
	}
	return uint64(first) | uint64(second)<<32
}

var prepForms = func() []prepForm {
	const all = 1<<64 - 1
	f := &formed
	mem, path, name := f.mem[:], f.path[:], f.name[:]
	p, at := unsafe.Pointer(&f.mem), addr(&f.mem)
	pathAt, nameAt, ts := addr(&f.path), addr(&f.name), addr(&f.ts)
	var big []byte // of more than 32 bits' length, and never touched
	if unsafe.Sizeof(uintptr(0)) == 8 {
		big = bigSlice(&f.mem[0])
	}
	in := func(op Op, fd int32) SQE { return SQE{Op: op, FD: fd} }
	return []prepForm{
		{"PrepNop", (*SQE).PrepNop, in(0, -1)},
		{"PrepNopFlags", func(e *SQE) { e.PrepNopFlags(NopInject | NopTaskWork) }, SQE{FD: -1, OpFlags: 17}},
		{"PrepNop128", (*SQE).PrepNop128, in(63, -1)},
		{"PrepRead", func(e *SQE) { e.PrepRead(3, mem, -1) }, SQE{Op: 22, FD: 3, Off: all, Addr: at, Len: 64}},
		{"PrepReadSelect", func(e *SQE) { e.PrepReadSelect(3, 7, 9, 5) },
			SQE{Op: 22, Flags: 32, FD: 3, Off: 5, Len: 9, BufIndex: 7}},
		{"PrepReadMultishot", func(e *SQE) { e.PrepReadMultishot(3, 7) },
			SQE{Op: 49, Flags: 32, FD: 3, Off: all, BufIndex: 7}},
		{"PrepReadv", func(e *SQE) { e.PrepReadv(3, p, 2, 5) }, SQE{Op: 1, FD: 3, Off: 5, Addr: at, Len: 2}},
		{"PrepReadFixed", func(e *SQE) { e.PrepReadFixed(3, mem, 5, 7) },
			SQE{Op: 4, FD: 3, Off: 5, Addr: at, Len: 64, BufIndex: 7}},
		{"PrepReadvFixed", func(e *SQE) { e.PrepReadvFixed(3, p, 2, 5, 7) },
			SQE{Op: 60, FD: 3, Off: 5, Addr: at, Len: 2, BufIndex: 7}},
		{"PrepWrite", func(e *SQE) { e.PrepWrite(3, mem, 5) }, SQE{Op: 23, FD: 3, Off: 5, Addr: at, Len: 64}},
		{"PrepWritev", func(e *SQE) { e.PrepWritev(3, p, 2, 5) }, SQE{Op: 2, FD: 3, Off: 5, Addr: at, Len: 2}},
		{"PrepWriteFixed", func(e *SQE) { e.PrepWriteFixed(3, mem, 5, 7) },
			SQE{Op: 5, FD: 3, Off: 5, Addr: at, Len: 64, BufIndex: 7}},
		{"PrepWritevFixed", func(e *SQE) { e.PrepWritevFixed(3, p, 2, 5, 7) },
			SQE{Op: 61, FD: 3, Off: 5, Addr: at, Len: 2, BufIndex: 7}},
		{"SetRWFlags", func(e *SQE) { e.PrepReadv(3, p, 2, 5); e.SetRWFlags(8) },
			SQE{Op: 1, FD: 3, Off: 5, Addr: at, Len: 2, OpFlags: 8}},
		{"SetIntegrity", func(e *SQE) { e.PrepRead(3, mem, 0); e.SetIntegrity(&f.pi) },
			SQE{Op: 22, FD: 3, Addr: at, Len: 64, Addr3: addr(&f.pi), AttrMask: 1}},
		{"PrepFsync", func(e *SQE) { e.PrepFsync(3, true) }, SQE{Op: 3, FD: 3, OpFlags: 1}},
		{"PrepSyncFileRange", func(e *SQE) { e.PrepSyncFileRange(3, 5, 9, 7) },
			SQE{Op: 8, FD: 3, Off: 5, Len: 9, OpFlags: 7}},
		{"PrepFallocate", func(e *SQE) { e.PrepFallocate(3, 1, 5, 9) }, SQE{Op: 17, FD: 3, Off: 5, Addr: 9, Len: 1}},
		{"PrepFtruncate", func(e *SQE) { e.PrepFtruncate(3, 9) }, SQE{Op: 55, FD: 3, Off: 9}},
		{"PrepFadvise", func(e *SQE) { e.PrepFadvise(3, 5, 1<<32-1, 4) },
			SQE{Op: 24, FD: 3, Off: 5, Len: 1<<32 - 1, OpFlags: 4}},
		{"PrepFadvise", func(e *SQE) { e.PrepFadvise(3, 5, 1<<32, 4) },
			SQE{Op: 24, FD: 3, Off: 5, Addr: 1 << 32, OpFlags: 4}},
		{"PrepMadvise", func(e *SQE) { e.PrepMadvise(mem, 4) }, SQE{Op: 25, FD: -1, Addr: at, Len: 64, OpFlags: 4}},
		{"PrepMadvise", func(e *SQE) { e.PrepMadvise(big, 4) }, madviseBig(at, big)},

		{"PrepOpenat", func(e *SQE) { e.PrepOpenat(3, path, 5, 0o600) },
			SQE{Op: 18, FD: 3, Addr: pathAt, Len: 0o600, OpFlags: 5}},
		{"PrepOpenat2", func(e *SQE) { e.PrepOpenat2(3, path, p) }, SQE{Op: 28, FD: 3, Off: at, Addr: pathAt, Len: 24}},
		{"PrepStatx", func(e *SQE) { e.PrepStatx(3, path, 5, 9, p) },
			SQE{Op: 21, FD: 3, Off: at, Addr: pathAt, Len: 9, OpFlags: 5}},
		{"PrepMkdirat", func(e *SQE) { e.PrepMkdirat(3, path, 0o700) }, SQE{Op: 37, FD: 3, Addr: pathAt, Len: 0o700}},
		{"PrepUnlinkat", func(e *SQE) { e.PrepUnlinkat(3, path, 5) }, SQE{Op: 36, FD: 3, Addr: pathAt, OpFlags: 5}},
		{"PrepRenameat", func(e *SQE) { e.PrepRenameat(3, path, -100, name, 5) },
			SQE{Op: 35, FD: 3, Off: nameAt, Addr: pathAt, Len: 1<<32 - 100, OpFlags: 5}},
		{"PrepLinkat", func(e *SQE) { e.PrepLinkat(3, path, 4, name, 5) },
			SQE{Op: 39, FD: 3, Off: nameAt, Addr: pathAt, Len: 4, OpFlags: 5}},
		{"PrepSymlinkat", func(e *SQE) { e.PrepSymlinkat(path, 3, name) },
			SQE{Op: 38, FD: 3, Off: nameAt, Addr: pathAt}},
		{"PrepGetxattr", func(e *SQE) { e.PrepGetxattr(path, name, mem) },
			SQE{Op: 44, Off: at, Addr: nameAt, Len: 64, Addr3: pathAt}},
		{"PrepFgetxattr", func(e *SQE) { e.PrepFgetxattr(3, name, mem) },
			SQE{Op: 43, FD: 3, Off: at, Addr: nameAt, Len: 64}},
		{"PrepSetxattr", func(e *SQE) { e.PrepSetxattr(path, name, mem, 2) },
			SQE{Op: 42, Off: at, Addr: nameAt, Len: 64, OpFlags: 2, Addr3: pathAt}},
		{"PrepFsetxattr", func(e *SQE) { e.PrepFsetxattr(3, name, mem, 2) },
			SQE{Op: 41, FD: 3, Off: at, Addr: nameAt, Len: 64, OpFlags: 2}},

		{"PrepSocket", func(e *SQE) { e.PrepSocket(2, 1, 6) }, SQE{Op: 45, FD: 2, Off: 1, Len: 6}},
		{"PrepBind", func(e *SQE) { e.PrepBind(3, p, 16) }, SQE{Op: 56, FD: 3, Off: 16, Addr: at}},
		{"PrepListen", func(e *SQE) { e.PrepListen(3, 9) }, SQE{Op: 57, FD: 3, Len: 9}},
		{"PrepAccept", func(e *SQE) { e.PrepAccept(3, 5) }, SQE{Op: 13, FD: 3, OpFlags: 5}},
		{"PrepAcceptAddr", func(e *SQE) { e.PrepAcceptAddr(3, p, &f.word, 5) },
			SQE{Op: 13, FD: 3, Off: addr(&f.word), Addr: at, OpFlags: 5}},
		{"PrepAcceptMultishot", func(e *SQE) { e.PrepAcceptMultishot(3, 5) },
			SQE{Op: 13, IOPrio: 1, FD: 3, OpFlags: 5}},
		{"SetDontWait", func(e *SQE) { e.PrepAccept(3, 5); e.SetDontWait() },
			SQE{Op: 13, IOPrio: 2, FD: 3, OpFlags: 5}},
		{"SetPollFirst", func(e *SQE) { e.PrepAcceptMultishot(3, 5); e.SetPollFirst() },
			SQE{Op: 13, IOPrio: 5, FD: 3, OpFlags: 5}},
		{"SetPollFirst", func(e *SQE) { e.PrepRecvMultishot(3, 7, 0); e.SetPollFirst() },
			SQE{Op: 27, Flags: 32, IOPrio: 3, FD: 3, BufIndex: 7}},
		{"PrepConnect", func(e *SQE) { e.PrepConnect(3, p, 16) }, SQE{Op: 16, FD: 3, Off: 16, Addr: at}},
		{"PrepShutdown", func(e *SQE) { e.PrepShutdown(3, 1) }, SQE{Op: 34, FD: 3, Len: 1}},

		{"PrepRecv", func(e *SQE) { e.PrepRecv(3, mem, 2) }, SQE{Op: 27, FD: 3, Addr: at, Len: 64, OpFlags: 2}},
		{"PrepRecvSelect", func(e *SQE) { e.PrepRecvSelect(3, 7, 9, 2) },
			SQE{Op: 27, Flags: 32, FD: 3, Len: 9, OpFlags: 2, BufIndex: 7}},
		{"PrepRecvMultishot", func(e *SQE) { e.PrepRecvMultishot(3, 7, 2) },
			SQE{Op: 27, Flags: 32, IOPrio: 2, FD: 3, OpFlags: 2, BufIndex: 7}},
		{"LimitRecv", func(e *SQE) { e.PrepRecvMultishot(3, 7, 2); e.LimitRecv(9) },
			SQE{Op: 27, Flags: 32, IOPrio: 2, FD: 3, OpFlags: 2, BufIndex: 7, FileIndex: 9}},
		{"SetBundle", func(e *SQE) { e.PrepRecvMultishot(3, 7, 2); e.SetBundle() },
			SQE{Op: 27, Flags: 32, IOPrio: 18, FD: 3, OpFlags: 2, BufIndex: 7}},
		{"PrepRecvmsg", func(e *SQE) { e.PrepRecvmsg(3, p, 2) }, SQE{Op: 10, FD: 3, Addr: at, Len: 1, OpFlags: 2}},
		{"PrepRecvmsgSelect", func(e *SQE) { e.PrepRecvmsgSelect(3, p, 7, 2) },
			SQE{Op: 10, Flags: 32, FD: 3, Addr: at, Len: 1, OpFlags: 2, BufIndex: 7}},
		{"PrepRecvmsgMultishot", func(e *SQE) { e.PrepRecvmsgMultishot(3, p, 7, 2) },
			SQE{Op: 10, Flags: 32, IOPrio: 2, FD: 3, Addr: at, Len: 1, OpFlags: 2, BufIndex: 7}},
		{"PrepRecvZC", func(e *SQE) { e.PrepRecvZC(3, 7, 9) }, SQE{Op: 58, IOPrio: 2, FD: 3, Len: 9, FileIndex: 7}},

		{"PrepSend", func(e *SQE) { e.PrepSend(3, mem, 2) }, SQE{Op: 26, FD: 3, Addr: at, Len: 64, OpFlags: 2}},
		{"PrepSendSelect", func(e *SQE) { e.PrepSendSelect(3, 7, 9, 2) },
			SQE{Op: 26, Flags: 32, FD: 3, Len: 9, OpFlags: 2, BufIndex: 7}},
		{"PrepSendv", func(e *SQE) { e.PrepSendv(3, p, 2, 4) },
			SQE{Op: 26, IOPrio: 32, FD: 3, Addr: at, Len: 2, OpFlags: 4}},
		{"SetAddr", func(e *SQE) { e.PrepSend(3, mem, 2); e.SetAddr(unsafe.Pointer(&f.path), 16) },
			SQE{Op: 26, FD: 3, Off: pathAt, Addr: at, Len: 64, OpFlags: 2, FileIndex: half(16)}},
		{"PrepSendZC", func(e *SQE) { e.PrepSendZC(3, mem, 2) }, SQE{Op: 47, FD: 3, Addr: at, Len: 64, OpFlags: 2}},
		{"PrepSendvZC", func(e *SQE) { e.PrepSendvZC(3, p, 2, 4) },
			SQE{Op: 47, IOPrio: 32, FD: 3, Addr: at, Len: 2, OpFlags: 4}},
		{"PrepSendmsg", func(e *SQE) { e.PrepSendmsg(3, p, 2) }, SQE{Op: 9, FD: 3, Addr: at, Len: 1, OpFlags: 2}},
		{"PrepSendmsgZC", func(e *SQE) { e.PrepSendmsgZC(3, p, 2) }, SQE{Op: 48, FD: 3, Addr: at, Len: 1, OpFlags: 2}},
		{"SetFixedBuf", func(e *SQE) { e.PrepSendZC(3, mem, 2); e.SetFixedBuf(7) },
			SQE{Op: 47, IOPrio: 4, FD: 3, Addr: at, Len: 64, OpFlags: 2, BufIndex: 7}},
		{"SetFixedBuf", func(e *SQE) { e.PrepUringCmd(3, 9); e.SetFixedBuf(7) },
			SQE{Op: 46, FD: 3, Off: word(9, 0), OpFlags: 1, BufIndex: 7}},
		{"SetReportUsage", func(e *SQE) { e.PrepSendZC(3, mem, 2); e.SetReportUsage() },
			SQE{Op: 47, IOPrio: 8, FD: 3, Addr: at, Len: 64, OpFlags: 2}},

		{"PrepTimeout", func(e *SQE) { e.PrepTimeout(&f.ts, 9, 2) },
			SQE{Op: 11, FD: -1, Off: 9, Addr: ts, Len: 1, OpFlags: 2}},
		{"PrepTimeoutRemove", func(e *SQE) { e.PrepTimeoutRemove(9) }, SQE{Op: 12, FD: -1, Addr: 9}},
		{"PrepTimeoutUpdate", func(e *SQE) { e.PrepTimeoutUpdate(9, &f.ts, TimeoutAbs) },
			SQE{Op: 12, FD: -1, Off: ts, Addr: 9, OpFlags: 3}},
		{"PrepTimeoutUpdate", func(e *SQE) { e.PrepTimeoutUpdate(9, &f.ts, TimeoutLinked) },
			SQE{Op: 12, FD: -1, Off: ts, Addr: 9, OpFlags: 18}},
		{"PrepLinkTimeout", func(e *SQE) { e.PrepLinkTimeout(&f.ts, TimeoutBoottime) },
			SQE{Op: 15, FD: -1, Addr: ts, Len: 1, OpFlags: 4}},
		{"PrepCancel", func(e *SQE) { e.PrepCancel(9) }, SQE{Op: 14, FD: -1, Addr: 9}},
		{"PrepCancelFD", func(e *SQE) { e.PrepCancelFD(3) }, SQE{Op: 14, FD: 3, OpFlags: 3}},
		{"PrepCancelMatching", func(e *SQE) { e.PrepCancelMatching(CancelFD|CancelFixed|CancelOp|CancelAll, 9, 3, 27) },
			SQE{Op: 14, FD: 3, Addr: 9, Len: 27, OpFlags: 43}},
		{"PrepCancelMatching", func(e *SQE) { e.PrepCancelMatching(CancelAny, 0, 3, OpRecv) },
			SQE{Op: 14, FD: -1, OpFlags: 4}},

		{"PrepPollAdd", func(e *SQE) { e.PrepPollAdd(3, 1) }, SQE{Op: 6, FD: 3, OpFlags: half(1)}},
		{"PrepPollMultishot", func(e *SQE) { e.PrepPollMultishot(3, 1) }, SQE{Op: 6, FD: 3, Len: 1, OpFlags: half(1)}},
		{"PrepPollRemove", func(e *SQE) { e.PrepPollRemove(9) }, SQE{Op: 7, FD: -1, Addr: 9}},
		{"PrepPollUpdate", func(e *SQE) { e.PrepPollUpdate(9, 8, 4, PollUpdateEvents|PollUpdateUserData) },
			SQE{Op: 7, FD: -1, Off: 8, Addr: 9, Len: 6, OpFlags: half(4)}},
		{"PrepEpollCtl", func(e *SQE) { e.PrepEpollCtl(3, 1, 4, p) }, SQE{Op: 29, FD: 3, Off: 4, Addr: at, Len: 1}},
		{"PrepEpollWait", func(e *SQE) { e.PrepEpollWait(3, p, 5) }, SQE{Op: 59, FD: 3, Addr: at, Len: 5}},

		{"PrepProvideBuffers", func(e *SQE) { e.PrepProvideBuffers(7, 2, mem, 4) },
			SQE{Op: 31, FD: 4, Off: 2, Addr: at, Len: 16, BufIndex: 7}},
		{"PrepRemoveBuffers", func(e *SQE) { e.PrepRemoveBuffers(7, 4) }, SQE{Op: 32, FD: 4, BufIndex: 7}},

		{"SetDirect", func(e *SQE) { e.PrepOpenat(3, path, 5, 0); e.SetDirect(4) },
			SQE{Op: 18, FD: 3, Addr: pathAt, OpFlags: 5, FileIndex: 5}},
		{"SetDirect", func(e *SQE) { e.PrepSocket(2, 1, 0); e.SetDirect(DirectAlloc) },
			SQE{Op: 45, FD: 2, Off: 1, FileIndex: 1<<32 - 1}},
		{"PrepClose", func(e *SQE) { e.PrepClose(3) }, SQE{Op: 19, FD: 3}},
		{"PrepCloseDirect", func(e *SQE) { e.PrepCloseDirect(4) }, SQE{Op: 19, FileIndex: 5}},
		{"PrepFilesUpdate", func(e *SQE) { e.PrepFilesUpdate(f.fds[:], 4) },
			SQE{Op: 20, FD: -1, Off: 4, Addr: addr(&f.fds), Len: 2}},
		{"PrepFilesUpdate", func(e *SQE) { e.PrepFilesUpdate(f.fds[:], DirectAlloc) },
			SQE{Op: 20, FD: -1, Off: all, Addr: addr(&f.fds), Len: 2}},
		{"PrepFixedFDInstall", func(e *SQE) { e.PrepFixedFDInstall(4, FixedFDNoCloexec) },
			SQE{Op: 54, Flags: 1, FD: 4, OpFlags: 1}},
		{"PrepMsgRingFD", func(e *SQE) { e.PrepMsgRingFD(3, 4, 5, 9, MsgRingCQESkip) },
			SQE{Op: 40, FD: 3, Off: 9, Addr: 1, OpFlags: 1, FileIndex: 6, Addr3: 4}},
		{"PrepMsgRing", func(e *SQE) { e.PrepMsgRing(3, -1, 9) }, SQE{Op: 40, FD: 3, Off: 9, Len: 1<<32 - 1}},
		{"PrepMsgRingFlags", func(e *SQE) { e.PrepMsgRingFlags(3, 5, 9, 6) },
			SQE{Op: 40, FD: 3, Off: 9, Len: 5, OpFlags: 2, FileIndex: 6}},

		{"PrepWaitid", func(e *SQE) { e.PrepWaitid(1, 77, p, 4) }, SQE{Op: 50, FD: 77, Off: at, Len: 1, FileIndex: 4}},
		{"PrepFutexWait", func(e *SQE) { e.PrepFutexWait(&f.word, 5, FutexAnyone, FutexU32|FutexPrivate) },
			SQE{Op: 51, FD: 130, Off: 5, Addr: addr(&f.word), Addr3: 1<<32 - 1}},
		{"PrepFutexWake", func(e *SQE) { e.PrepFutexWake(&f.word, 5, 6, FutexU32) },
			SQE{Op: 52, FD: 2, Off: 5, Addr: addr(&f.word), Addr3: 6}},
		{"PrepFutexWaitv", func(e *SQE) { e.PrepFutexWaitv(f.waiters[:]) },
			SQE{Op: 53, Addr: addr(&f.waiters), Len: 3}},

		{"PrepSplice", func(e *SQE) { e.PrepSplice(3, -1, 4, 5, 9, SpliceInFixed) },
			SQE{Op: 30, FD: 4, Off: 5, Addr: all, Len: 9, OpFlags: 1 << 31, FileIndex: 3}},
		{"PrepTee", func(e *SQE) { e.PrepTee(3, 4, 9, 2) }, SQE{Op: 33, FD: 4, Len: 9, OpFlags: 2, FileIndex: 3}},
		{"PrepPipe", func(e *SQE) { e.PrepPipe(&f.fds, 5) }, SQE{Op: 62, Addr: addr(&f.fds), OpFlags: 5}},

		{"PrepUringCmd", func(e *SQE) { e.PrepUringCmd(3, 9); e.Command()[15] = 1 },
			SQE{Op: 46, FD: 3, Off: word(9, 0), AttrMask: lastByte}},
		{"PrepUringCmd128", func(e *SQE) { e.PrepUringCmd128(3, 9) }, SQE{Op: 64, FD: 3, Off: word(9, 0)}},
		{"PrepSockUnread", func(e *SQE) { e.PrepSockUnread(3) }, SQE{Op: 46, FD: 3}},
		{"PrepSockUnsent", func(e *SQE) { e.PrepSockUnsent(3) }, SQE{Op: 46, FD: 3, Off: word(1, 0)}},
		{"PrepGetsockopt", func(e *SQE) { e.PrepGetsockopt(3, 1, 4, mem) },
			SQE{Op: 46, FD: 3, Off: word(2, 0), Addr: word(1, 4), FileIndex: 64, Addr3: at}},
		{"PrepSetsockopt", func(e *SQE) { e.PrepSetsockopt(3, 1, 4, mem) },
			SQE{Op: 46, FD: 3, Off: word(3, 0), Addr: word(1, 4), FileIndex: 64, Addr3: at}},
		{"PrepTxTimestamp", func(e *SQE) { e.PrepTxTimestamp(3) }, SQE{Op: 46, FD: 3, Off: word(4, 0)}},
		{"PrepGetsockname", func(e *SQE) { e.PrepGetsockname(3, p, &f.word, true) },
			SQE{Op: 46, FD: 3, Off: word(5, 0), Addr: at, FileIndex: 1, Addr3: addr(&f.word)}},
		{"PrepDiscard", func(e *SQE) { e.PrepDiscard(3, 4096, 8192) },
			SQE{Op: 46, FD: 3, Off: word(abi.BLOCK_URING_CMD_DISCARD, 0), Addr: 4096, Addr3: 8192}},
		{"PrepZoneResetAll", func(e *SQE) { e.PrepZoneResetAll(3) },
			SQE{Op: 46, FD: 3, Off: word(abi.BLOCK_URING_CMD_ZONE_RESET_ALL, 0)}},
	}
}()

// lastByte is a 1 in the last of eight bytes.
var lastByte = word(0, func() uint32 {
	if abi.BigEndian {
		return 1
	}
	return 1 << 24
}())

// bigSlice is one of 4 GiB where ints have room for that.
func bigSlice(p *byte) []byte {
	var s []byte
	h := (*struct {
		p        *byte
		len, cap uintptr
	})(unsafe.Pointer(&s))
	h.p, h.len, h.cap = p, ^uintptr(0)>>31, ^uintptr(0)>>31
	return s
}

func madviseBig(at uint64, big []byte) SQE {
	if big == nil {
		return SQE{Op: 25, FD: -1, OpFlags: 4}
	}
	return SQE{Op: 25, FD: -1, Off: uint64(len(big)), Addr: at, OpFlags: 4}
}

// TestPrepForms: each method fills in what the kernel's ABI wants, zeroes all else but the user data, also in an entry
// that held something else, and allocates nothing.
func TestPrepForms(t *testing.T) {
	for _, f := range prepForms {
		f.want.UserData = 7
		fresh, used := &SQE{UserData: 7}, &SQE{1, 2, 3, 4, 5, 6, 7, 8, 7, 10, 11, 12, 13, 14}
		f.fill(fresh)
		f.fill(used)
		if *fresh != f.want {
			t.Errorf("%s: want %+v, got %+v", f.method, f.want, *fresh)
		}
		if *used != f.want {
			t.Errorf("%s on a used entry: want %+v, got %+v", f.method, f.want, *used)
		}
		if n := alloctest.Least(100, 0.1, func() { f.fill(used) }); n > 0.1 {
			t.Errorf("%s allocates %v times", f.method, n)
		}
	}
}

// TestPrepFormsAreComplete: no method that fills in an entry is without its form.
func TestPrepFormsAreComplete(t *testing.T) {
	has := map[string]bool{"SetUserData": true, "SetFlags": true, "SetBufGroup": true, "Command": true}
	ops := OpSet{}
	for _, f := range prepForms {
		has[f.method] = true
		ops = ops.With(f.want.Op)
	}
	typ := reflect.TypeFor[*SQE]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		if !has[name] {
			t.Errorf("%s has no form", name)
		}
		delete(has, name)
	}
	for name := range has {
		t.Errorf("there is no %s", name)
	}
	for o, name := range opNames {
		if !ops.Has(Op(o)) {
			t.Errorf("%s has no Prep", strings.ToLower(name))
		}
	}
}
