package mask

import (
	"sync/atomic"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// kernel is a kernel for one ring: the one below it, seen through a mask.
type kernel struct {
	m     *Mask
	below sys.Uring

	params abi.Io_uring_params
	sq     unsafe.Pointer
	sqes   unsafe.Pointer
	seen   uint32 // the SQ's tail at the last enter: the entries before it were judged
}

// Kernel returns a kernel for one ring that behaves like the kernel below, but lacks what the mask names. nil for below
// is the real kernel. Entries are judged when they are submitted. A nil Mask returns below itself.
func (m *Mask) Kernel(below sys.Uring) sys.Uring {
	if m == nil {
		return below
	}
	if below == nil {
		below = real{}
	}
	return &kernel{m: m, below: below}
}

// real is the kernel itself.
type real struct{}

func (real) Setup(entries uint32, p *abi.Io_uring_params) (int, posix.Errno) {
	return sys.UringSetup(entries, p)
}

func (real) Map(fd int, offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	return sys.UringMap(fd, offset, size)
}

func (real) Unmap(p unsafe.Pointer, size int) posix.Errno { return sys.UringUnmap(p, size) }

func (real) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno {
	return sys.UringEnter(fd, submit, wait, flags, arg)
}

func (real) EnterRaw(fd int, submit, wait, flags uint32, arg, size uintptr) (int, posix.Errno) {
	return sys.UringEnterRaw(fd, submit, wait, flags, arg, size)
}

func (real) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	return sys.UringRegister(fd, op, arg, n)
}

func (real) Close(fd int) posix.Errno { return sys.UringClose(fd) }

// Setup refuses what the mask names. It also refuses a ring whose entries a kernel thread takes (SQPOLL): the thread
// could take them before they are judged.
func (k *kernel) Setup(entries uint32, p *abi.Io_uring_params) (int, posix.Errno) {
	switch {
	case k.m.gone:
		return -1, posix.ENOSYS
	case p.Flags&k.m.setup != 0, p.Flags&abi.IORING_SETUP_SQPOLL != 0, k.m.unknown && p.Flags&^knownSetup != 0:
		return -1, posix.EINVAL
	}
	fd, errno := k.below.Setup(entries, p)
	if errno == 0 {
		p.Features &^= k.m.features
		if k.m.unknown {
			p.Features &= knownFeatures
		}
		k.params = *p
	}
	return fd, errno
}

// Map remembers where the submission queue and its entries are.
func (k *kernel) Map(fd int, offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	p, errno := k.below.Map(fd, offset, size)
	if errno == 0 && fd >= 0 {
		switch offset {
		case abi.IORING_OFF_SQ_RING:
			k.sq = p
			k.seen = (*atomic.Uint32)(unsafe.Add(p, k.params.Sq_off.Tail)).Load()
		case abi.IORING_OFF_SQES:
			k.sqes = p
		}
	}
	return p, errno
}

func (k *kernel) Unmap(p unsafe.Pointer, size int) posix.Errno { return k.below.Unmap(p, size) }

func (k *kernel) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno {
	if flags&k.m.enter != 0 || k.m.unknown && flags&^knownEnter != 0 {
		return posix.EINVAL
	}
	k.look()
	return k.below.Enter(fd, submit, wait, flags, arg)
}

// EnterRaw fails with EINVAL if the kernel below has no such method.
func (k *kernel) EnterRaw(fd int, submit, wait, flags uint32, arg, size uintptr) (int, posix.Errno) {
	below, ok := k.below.(sys.UringRaw)
	if !ok || flags&k.m.enter != 0 || k.m.unknown && flags&^knownEnter != 0 {
		return 0, posix.EINVAL
	}
	k.look()
	return below.EnterRaw(fd, submit, wait, flags, arg, size)
}

func (k *kernel) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	call := op &^ abi.IORING_REGISTER_USE_REGISTERED_RING
	switch {
	case k.m.gone:
		return 0, posix.ENOSYS
	case call < uint32(len(k.m.registers)) && k.m.registers[call], k.m.unknown && call > registerMax:
		return 0, posix.EINVAL
	}
	res, errno := k.below.Register(fd, op, arg, n)
	switch {
	case errno != 0:
	case call == abi.IORING_REGISTER_PROBE:
		k.unlist(arg)
	case call == abi.IORING_REGISTER_RESIZE_RINGS:
		k.params.Sq_off = (*abi.Io_uring_params)(arg).Sq_off
	}
	return res, errno
}

func (k *kernel) Close(fd int) posix.Errno { return k.below.Close(fd) }

// unlist removes the masked opcodes from the result of IORING_REGISTER_PROBE.
func (k *kernel) unlist(arg unsafe.Pointer) {
	p := (*abi.Io_uring_probe)(arg)
	list := unsafe.Slice((*abi.Io_uring_probe_op)(unsafe.Add(arg, unsafe.Sizeof(*p))), p.Ops_len)
	for i := range list {
		if k.lacks(list[i].Op) {
			list[i].Flags = 0
		}
	}
}

// look judges the entries that the ring has published since the last enter.
func (k *kernel) look() {
	off := &k.params.Sq_off
	tail := (*atomic.Uint32)(unsafe.Add(k.sq, off.Tail)).Load()
	mask := *(*uint32)(unsafe.Add(k.sq, off.Ring_mask))
	for ; k.seen != tail; k.seen++ {
		i := k.seen & mask
		if k.params.Flags&abi.IORING_SETUP_NO_SQARRAY == 0 {
			i = *(*uint32)(unsafe.Add(k.sq, off.Array+i*4))
		}
		size := unsafe.Sizeof(abi.Io_uring_sqe{})
		if k.params.Flags&abi.IORING_SETUP_SQE128 != 0 {
			size *= 2
		}
		k.m.judge((*abi.Io_uring_sqe)(unsafe.Add(k.sqes, uintptr(i)*size)))
	}
}

// noOp is an opcode that no kernel has; its entry completes with EINVAL.
const noOp = 0xff

// judge changes an entry that an older kernel would refuse into one that the kernel refuses, and removes from an entry
// what an older kernel would ignore.
func (m *Mask) judge(e *abi.Io_uring_sqe) {
	if m.ops[e.Opcode] || m.unknown && int(e.Opcode) >= len(ops) || e.Flags&m.sqe != 0 {
		e.Opcode = noOp
		return
	}
	for i := range m.rules {
		switch r := &m.rules[i]; {
		case !r.uses(e):
		case r.strip != nil:
			r.strip(e)
		default:
			e.Opcode = noOp
			return
		}
	}
}

func (k *kernel) lacks(op uint8) bool { return k.m.ops[op] || k.m.unknown && int(op) >= len(ops) }

// The flags and calls of things, and those that are as old as io_uring. Under a mask with a release, all others count
// as newer than the release.
var knownSetup, knownFeatures, knownEnter, registerMax = func() (setup, features, enter, register uint32) {
	setup = abi.IORING_SETUP_IOPOLL | abi.IORING_SETUP_SQPOLL | abi.IORING_SETUP_SQ_AFF
	enter = abi.IORING_ENTER_GETEVENTS | abi.IORING_ENTER_SQ_WAKEUP | abi.IORING_ENTER_SQ_WAIT
	register = abi.IORING_REGISTER_EVENTFD_ASYNC
	for i := range things {
		t := &things[i]
		setup, features, enter = setup|t.setup, features|t.feature, enter|t.enter
		for _, call := range t.register {
			register = max(register, call)
		}
	}
	return
}()
