//go:build linux

package uringtest

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// Ops on files that a thread of the kernel runs, and that no readiness ends. This kernel runs them when it takes their
// entry, or as work of a later round.

// fileErrors are the errors with which a script may make an op on a file fail.
var fileErrors = [...]unix.Errno{unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EROFS}

func init() {
	name := func(fields field) field { return fields | addr }
	for code, d := range map[int]def{
		abi.IORING_OP_FSYNC:     {name: "fsync", fields: flags, run: (*Kernel).fsync},
		abi.IORING_OP_FALLOCATE: {name: "fallocate", fields: off | addr | length, run: (*Kernel).fallocate},
		abi.IORING_OP_FTRUNCATE: {name: "ftruncate", fields: off, run: (*Kernel).ftruncate},
		abi.IORING_OP_OPENAT2:   {name: "openat2", fields: name(off | length), run: (*Kernel).openat2},
		abi.IORING_OP_STATX: {name: "statx", fields: name(off | length | flags),
			run: (*Kernel).statx, memory: statxbuf},
		abi.IORING_OP_MKDIRAT:   {name: "mkdirat", fields: name(length), run: (*Kernel).mkdirat},
		abi.IORING_OP_UNLINKAT:  {name: "unlinkat", fields: name(flags), run: (*Kernel).unlinkat},
		abi.IORING_OP_RENAMEAT:  {name: "renameat", fields: name(off | length | flags), run: (*Kernel).renameat},
		abi.IORING_OP_LINKAT:    {name: "linkat", fields: name(off | length | flags), run: (*Kernel).linkat},
		abi.IORING_OP_SYMLINKAT: {name: "symlinkat", fields: name(off), run: (*Kernel).symlinkat},
	} {
		d.slow = true
		ops[code] = &d
	}
}

// slow begins a request that a thread of the kernel runs.
func (k *Kernel) slow(r *Request) {
	if k.spoilt(r) || k.choose(Punt, 2, r) == 0 && k.toil(r) {
		return
	}
	k.queue(r)
}

// toil runs a request that needs no readiness. If a cancel has signalled the thread, the request may not be done for
// that reason.
func (k *Kernel) toil(r *Request) bool {
	k.check(r)
	if r.worker {
		switch k.choose(NotReady, 4, r) {
		case 1:
			k.invent(r, -int32(unix.ECANCELED))
			return true
		case 2:
			k.invent(r, -int32(unix.EINTR))
			return true
		case 3:
			k.invent(r, -restartSys)
			return true
		}
	}
	return r.def.run(k, r)
}

// spoilt ends a request with a result that has no cause, if the script says so.
func (k *Kernel) spoilt(r *Request) bool {
	res := int32(0)
	switch k.choose(NotReady, 4, r) {
	case 1:
		res = -int32(unix.EAGAIN)
	case 2:
		res = -int32(unix.EINTR)
	case 3:
		res = -restartSys
	default:
		n := 0
		if r.ofFile() {
			n = k.choose(FileFails, len(fileErrors)+1, r)
		}
		if k.choose(GiveUp, 2, r) == 1 {
			res = -int32(unix.ECANCELED)
		} else if n > 0 {
			res = -int32(fileErrors[n-1])
		} else {
			return false
		}
	}
	k.invent(r, res)
	return true
}

// ofFile reports whether the request is about a file or a name.
func (r *Request) ofFile() bool {
	switch r.SQE.Opcode {
	case abi.IORING_OP_READ, abi.IORING_OP_WRITE, abi.IORING_OP_READV, abi.IORING_OP_WRITEV:
		return r.SQE.Off != position
	}
	return r.def.slow
}

func (k *Kernel) readv(r *Request) bool { return k.vectors(r, unix.SYS_READV, unix.SYS_PREADV) }

func (k *Kernel) writev(r *Request) bool { return k.vectors(r, unix.SYS_WRITEV, unix.SYS_PWRITEV) }

// vectors moves bytes to or from several slices; on a file it may move only the first few bytes.
func (k *Kernel) vectors(r *Request, trap, trapAt uintptr) bool {
	k.check(r)
	if k.wouldBlock(r) {
		return false
	}
	vec := vectorOf(r)
	if r.SQE.Off == position {
		return k.once(r, call(trap, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(r.SQE.Len), 0, 0, 0))
	}
	if len(vec) > 0 {
		if short := k.choose(Short, int(min(vec[0].Len, 64)), r); short > 0 {
			vec = []sys.Iovec{{Base: vec[0].Base, Len: uintptr(short)}}
		}
	}
	low, high := halves(r.SQE.Off)
	return k.once(r, call(trapAt, uintptr(r.SQE.Fd), uintptr(unsafe.Pointer(unsafe.SliceData(vec))),
		uintptr(len(vec)), low, high, 0))
}

func vectorOf(r *Request) []sys.Iovec {
	return unsafe.Slice((*sys.Iovec)(pointer(r.SQE.Addr)), r.SQE.Len)
}

// firstVector returns the first slice that is read into.
func firstVector(r *Request) (addr uint64, n uint32, written bool) {
	if r.SQE.Len == 0 {
		return 0, 0, true
	}
	v := vectorOf(r)[0]
	return uint64(uintptr(unsafe.Pointer(v.Base))), uint32(v.Len), true
}

func statxbuf(r *Request) (addr uint64, n uint32, written bool) {
	return r.SQE.Off, uint32(unsafe.Sizeof(sys.Statx{})), true
}

func result(err error) int32 {
	if err != nil {
		return -int32(err.(unix.Errno))
	}
	return 0
}

func (k *Kernel) fsync(r *Request) bool {
	if r.SQE.Rw_flags&abi.IORING_FSYNC_DATASYNC != 0 {
		return k.once(r, result(unix.Fdatasync(int(r.SQE.Fd))))
	}
	return k.once(r, result(unix.Fsync(int(r.SQE.Fd))))
}

func (k *Kernel) fallocate(r *Request) bool {
	return k.once(r, result(unix.Fallocate(int(r.SQE.Fd), r.SQE.Len, int64(r.SQE.Off), int64(r.SQE.Addr))))
}

func (k *Kernel) ftruncate(r *Request) bool {
	return k.once(r, result(unix.Ftruncate(int(r.SQE.Fd), int64(r.SQE.Off))))
}

func (k *Kernel) openat2(r *Request) bool {
	return k.named(r, unix.SYS_OPENAT2, r.SQE.Off, uint64(r.SQE.Len), 0)
}

func (k *Kernel) statx(r *Request) bool {
	return k.named(r, unix.SYS_STATX, uint64(r.SQE.Rw_flags), uint64(r.SQE.Len), r.SQE.Off)
}

func (k *Kernel) mkdirat(r *Request) bool {
	return k.named(r, unix.SYS_MKDIRAT, uint64(r.SQE.Len), 0, 0)
}

func (k *Kernel) unlinkat(r *Request) bool {
	return k.named(r, unix.SYS_UNLINKAT, uint64(r.SQE.Rw_flags), 0, 0)
}

func (k *Kernel) renameat(r *Request) bool {
	return k.named(r, unix.SYS_RENAMEAT2, uint64(int32(r.SQE.Len)), r.SQE.Off, uint64(r.SQE.Rw_flags))
}

func (k *Kernel) linkat(r *Request) bool {
	return k.named(r, unix.SYS_LINKAT, uint64(int32(r.SQE.Len)), r.SQE.Off, uint64(r.SQE.Rw_flags))
}

func (k *Kernel) symlinkat(r *Request) bool {
	return k.once(r, call(unix.SYS_SYMLINKAT, uintptr(r.SQE.Addr), uintptr(r.SQE.Fd), uintptr(r.SQE.Off), 0, 0, 0))
}

// named makes a call whose first arguments are a directory and a name in it.
func (k *Kernel) named(r *Request, trap uintptr, c, d, e uint64) bool {
	return k.once(r, call(trap, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr), uintptr(c), uintptr(d), uintptr(e), 0))
}
