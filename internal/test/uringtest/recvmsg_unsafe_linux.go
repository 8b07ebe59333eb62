//go:build linux

package uringtest

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

func (k *Kernel) recvmsg(r *Request) bool {
	if !r.selects() {
		k.check(r)
		return k.once(r, call(unix.SYS_RECVMSG, uintptr(r.SQE.Fd), uintptr(r.SQE.Addr),
			uintptr(r.SQE.Rw_flags|unix.MSG_DONTWAIT), 0, 0, 0))
	}
	for range fairness {
		b, ok := k.pick(r)
		if !ok {
			return true
		}
		k.check(r)
		front, res := receiveInto(r, b)
		switch {
		case res == again && r.SQE.Rw_flags&unix.MSG_DONTWAIT == 0:
			return false
		case res < 0, res == 0 && !r.multishot(): // the buffer is not taken
			k.complete(r, res, 0)
			return true
		}
		k.groups[r.SQE.Buf_index].take()
		flags := abi.IORING_CQE_F_BUFFER | uint32(b.Bid)<<abi.IORING_CQE_BUFFER_SHIFT
		if res == 0 || !r.multishot() {
			k.complete(r, int32(front)+res, flags)
			return true
		}
		nonempty := k.mask(r) != 0
		if nonempty {
			flags |= abi.IORING_CQE_F_SOCK_NONEMPTY
		}
		if !k.more(r, int32(front)+res, flags) {
			return true
		}
		if !nonempty {
			return false
		}
	}
	k.requeue(r)
	return false
}

// receiveInto receives a message into a buffer. For a multishot, the buffer begins with a header and with the room that
// the program's msghdr reserves.
func receiveInto(r *Request, b abi.Io_uring_buf) (front uint32, res int32) {
	theirs, flags := (*sys.Msghdr)(pointer(r.SQE.Addr)), r.SQE.Rw_flags|unix.MSG_DONTWAIT
	msg, vec := *theirs, sys.Iovec{}
	msg.Iov, msg.Iovlen = &vec, 1
	if !r.multishot() {
		vec = sys.Iovec{Base: (*byte)(pointer(b.Addr)), Len: uintptr(b.Len)}
		if res = sys.Recvmsg(r.SQE.Fd, &msg, flags); res >= 0 {
			theirs.Namelen, theirs.Controllen, theirs.Flags = msg.Namelen, msg.Controllen, msg.Flags
		}
		return 0, res
	}
	const header = uint32(unsafe.Sizeof(abi.Io_uring_recvmsg_out{}))
	name, control := theirs.Namelen, uint32(theirs.Controllen)
	front = header + name + control
	if b.Len < front {
		return front, -int32(unix.EFAULT)
	}
	at := b.Addr + uint64(header)
	msg.Name, msg.Control = (*byte)(pointer(at)), (*byte)(pointer(at+uint64(name)))
	if name == 0 {
		msg.Name = nil
	}
	vec = sys.Iovec{Base: (*byte)(pointer(b.Addr + uint64(front))), Len: uintptr(b.Len - front)}
	if res = sys.Recvmsg(r.SQE.Fd, &msg, flags); res >= 0 {
		*(*abi.Io_uring_recvmsg_out)(pointer(b.Addr)) = abi.Io_uring_recvmsg_out{
			Namelen: msg.Namelen, Controllen: uint32(msg.Controllen), Payloadlen: uint32(res), Flags: uint32(msg.Flags)}
	}
	return front, min(res, int32(b.Len-front))
}
