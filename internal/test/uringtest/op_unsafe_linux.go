//go:build linux

package uringtest

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// def is what the kernel knows about an op.
type def struct {
	name   string
	fields field // the fields of an entry that may be set
	fd     bool  // FD is a descriptor
	slow   bool  // a thread of the kernel runs it: see slow
	// wants returns the readiness that the op waits for; it is nil if the op never waits for any.
	wants func(r *Request) uint32
	// run runs or tries the op, and reports whether it has ended.
	run func(k *Kernel, r *Request) bool
	// memory returns the memory that the kernel reads, or with written writes, until the last CQE. It is nil if the op
	// needs no memory once its entry is taken.
	memory func(r *Request) (addr uint64, n uint32, written bool)
}

// field is a set of an entry's fields.
type field uint8

const (
	off field = 1 << iota
	addr
	length
	flags
	prio
	group
	total // the total of a multishot op
)

const (
	in, out = unix.POLLIN | unix.POLLPRI, unix.POLLOUT

	opPoll = abi.IORING_OP_POLL_ADD
)

// ops lists the ops by opcode.
var ops [256]*def

func init() {
	input, output := func(*Request) uint32 { return in }, func(*Request) uint32 { return out }
	whole := func(written bool) func(r *Request) (uint64, uint32, bool) {
		return func(r *Request) (uint64, uint32, bool) { return r.SQE.Addr, r.SQE.Len, written }
	}
	msghdr := func(r *Request) (uint64, uint32, bool) { return r.SQE.Addr, uint32(unsafe.Sizeof(sys.Msghdr{})), false }
	vector := func(r *Request) (uint64, uint32, bool) { return r.SQE.Addr, 0, false }
	for code, d := range map[int]def{
		abi.IORING_OP_NOP: {name: "nop", run: (*Kernel).nop},
		abi.IORING_OP_ACCEPT: {name: "accept", fields: off | addr | flags | prio, fd: true, wants: input,
			run: (*Kernel).accept},
		abi.IORING_OP_CONNECT: {name: "connect", fields: off | addr, fd: true, wants: output,
			run: (*Kernel).connect},
		abi.IORING_OP_RECV: {name: "recv", fields: addr | length | flags | prio | group | total, fd: true,
			wants: input, run: (*Kernel).recv, memory: whole(true)},
		abi.IORING_OP_SEND: {name: "send", fields: addr | length | flags | prio, fd: true, wants: output,
			run: (*Kernel).send, memory: whole(false)},
		abi.IORING_OP_SEND_ZC: {name: "zero-copy send", fields: addr | length | flags | prio, fd: true,
			wants: output, run: (*Kernel).sendZC, memory: whole(false)},
		abi.IORING_OP_RECVMSG: {name: "recvmsg", fields: addr | length | flags | prio | group, fd: true,
			wants: input, run: (*Kernel).recvmsg, memory: msghdr},
		abi.IORING_OP_SENDMSG: {name: "sendmsg", fields: addr | length | flags | prio, fd: true, wants: output,
			run: (*Kernel).sendmsg, memory: msghdr},
		abi.IORING_OP_READ: {name: "read", fields: off | addr | length | flags | prio, fd: true, wants: input,
			run: (*Kernel).read, memory: whole(true)},
		abi.IORING_OP_WRITE: {name: "write", fields: off | addr | length | flags | prio, fd: true, wants: output,
			run: (*Kernel).write, memory: whole(false)},
		abi.IORING_OP_READV: {name: "readv", fields: off | addr | length | flags | prio, fd: true, wants: input,
			run: (*Kernel).readv, memory: firstVector},
		abi.IORING_OP_WRITEV: {name: "writev", fields: off | addr | length | flags | prio, fd: true, wants: output,
			run: (*Kernel).writev, memory: vector},
		abi.IORING_OP_POLL_ADD: {name: "poll", fields: length | flags, fd: true,
			wants: pollEvents, run: (*Kernel).poll},
		abi.IORING_OP_SHUTDOWN:       {name: "shutdown", fields: length, fd: true, run: (*Kernel).shutdown},
		abi.IORING_OP_CLOSE:          {name: "close", fd: false, run: (*Kernel).close},
		abi.IORING_OP_SOCKET:         {name: "socket", fields: off | length | flags, run: (*Kernel).socket},
		abi.IORING_OP_TIMEOUT:        {name: "timeout", fields: addr | length, run: (*Kernel).timeout},
		abi.IORING_OP_TIMEOUT_REMOVE: {name: "timeout removal", fields: addr, run: (*Kernel).cancel},
		abi.IORING_OP_POLL_REMOVE:    {name: "poll removal", fields: addr, run: (*Kernel).cancel},
		abi.IORING_OP_ASYNC_CANCEL:   {name: "cancel", fields: addr, run: (*Kernel).cancel},
	} {
		ops[code] = &d
	}
}

// checkFields finds values that a kernel refuses with EINVAL, or may refuse in future.
func (k *Kernel) checkFields(r *Request) {
	e, may := &r.SQE, r.def.fields
	if r.selects() {
		may |= group
	} else {
		may &^= group
	}
	if !r.multishot() {
		may &^= total
	}
	bad := func(name string, value uint64, f field) {
		if value != 0 && may&f == 0 {
			k.failf("%v has %#x in %s, which must be 0", r, value, name)
		}
	}
	bad("off", e.Off, off)
	bad("addr", e.Addr, addr)
	bad("len", uint64(e.Len), length)
	bad("the op's flags", uint64(e.Rw_flags), flags)
	bad("ioprio", uint64(e.Ioprio), prio)
	bad("buf_group", uint64(e.Buf_index), group)
	bad("personality", uint64(e.Personality), 0)
	bad("file_index", uint64(e.Splice_fd_in), total)
	bad("addr3", e.Addr3, 0)
	bad("the entry's end", (*[8]uint64)(unsafe.Pointer(e))[7], 0)
	bad("flags", uint64(e.Flags&^uint8(abi.IOSQE_BUFFER_SELECT|abi.IOSQE_ASYNC|abi.IOSQE_CQE_SKIP_SUCCESS)), 0)
	if r.selects() && r.def.fields&group == 0 {
		k.failf("%v selects a buffer, which the op can't", r)
	}
	if r.multishot() && r.def.fields&group != 0 && !r.selects() {
		k.failf("%v selects no buffer", r)
	}
}

// lent returns the memory that the kernel may write to while the request lives.
func (r *Request) lent() []byte {
	if r.def.memory == nil || r.selects() {
		return nil
	}
	at, n, written := r.def.memory(r)
	if !written || n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(at)), n)
}

// scribbleOver overwrites memory whose content must not matter to the driver. A kernel may do that, and a driver that
// looks there too early finds garbage.
func (k *Kernel) scribbleOver(r *Request) {
	if k.choose(Scribble, 2, r) == 0 {
		return
	}
	k.check(r)
	if mem := r.lent(); mem != nil {
		scribble(mem[r.done:])
	}
	if r.selects() {
		k.groups[r.SQE.Buf_index].scribble(k)
	}
}

func scribble(mem []byte) {
	for i := range mem {
		mem[i] = 0xdb
	}
}

// call makes a system call and returns its result in the form of a CQE. It repeats a call that was interrupted.
func call(trap, a, b, c, d, e, f uintptr) int32 {
	for {
		n, _, errno := unix.Syscall6(trap, a, b, c, d, e, f)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return -int32(errno)
		default:
			return int32(n)
		}
	}
}
