package op

import (
	"encoding/binary"
	"unsafe"

	"ringo/internal/sys"
	"ringo/uring"
)

// Recvmsg receives a message into the vector that SetVector made, with its sender if
// Named says so and what there is room for of control messages in Control. Descriptors
// that come are CLOEXEC, and open: who doesn't want them calls cmsg.CloseRights.
//
// With Select the bytes go into a buffer of the pool and there is no vector. With
// Multishot each message has a buffer of its own, and sender and control messages,
// for which there is Ext.Room, are in front of the bytes there: Op.Message reads
// them. A message of no bytes, and the end of a stream, may be the last completion.
func prepRecvmsg(o *Op, e *uring.SQE) {
	fd, flags := int(o.FD.Sys()), o.CallFlags|sys.MsgCmsgCloexec
	switch {
	case o.Flags&Multishot != 0:
		name, control := o.rooms()
		o.Ext.Msg = sys.Msghdr{Namelen: uint32(name), Controllen: uintptr(control)}
		e.PrepRecvmsgMultishot(fd, o.Ext.msg(), RingGroup, flags)
	case o.Flags&Select != 0:
		o.Ext.arm(true)
		o.Ext.Msg.Iov, o.Ext.Msg.Iovlen = nil, 0
		e.PrepRecvmsgSelect(fd, o.Ext.msg(), RingGroup, flags)
	default:
		o.Ext.arm(true)
		e.PrepRecvmsg(fd, o.Ext.msg(), flags)
	}
}

// attemptRecvmsg lays a buffer out as io_uring does, so that who reads it need not
// know which driver filled it.
func attemptRecvmsg(o *Op) int32 {
	x := o.Ext
	if o.Flags&(Select|Multishot) == 0 {
		x.arm(true)
		return sys.Recvmsg(o.FD.Sys(), &x.Msg, o.CallFlags)
	}
	front := o.Front()
	if len(o.Buf) < front {
		return -sys.EFAULT
	}
	x.arm(true)
	x.Iov[0] = sys.Iovec{Base: unsafe.SliceData(o.Buf[front:]), Len: uintptr(len(o.Buf) - front)}
	x.Msg.Iov, x.Msg.Iovlen = &x.Iov[0], 1
	if front == 0 {
		return sys.Recvmsg(o.FD.Sys(), &x.Msg, o.CallFlags)
	}
	name, control := o.rooms()
	x.Msg.Name, x.Msg.Namelen, x.Msg.Control, x.Msg.Controllen = nil, 0, nil, 0
	if name > 0 {
		x.Msg.Name, x.Msg.Namelen = &o.Buf[uring.RecvmsgHeader], uint32(name)
	}
	if control > 0 {
		x.Msg.Control, x.Msg.Controllen = &o.Buf[uring.RecvmsgHeader+name], uintptr(control)
	}
	n := sys.Recvmsg(o.FD.Sys(), &x.Msg, o.CallFlags)
	if n < 0 {
		return n
	}
	for i, v := range [...]uint32{x.Msg.Namelen, uint32(x.Msg.Controllen), uint32(n), x.MsgFlags()} {
		binary.NativeEndian.PutUint32(o.Buf[4*i:], v)
	}
	return int32(front + min(int(n), len(o.Buf)-front))
}

// rooms is what a multishot Recvmsg leaves in front of each message's bytes.
func (o *Op) rooms() (name, control int) {
	if o.Ext.Named {
		name = sys.SockaddrSize
	}
	return name, o.Ext.Room
}

// Front is how many bytes of each buffer, and of each result, are not of what was
// received: 0 for all ops but a multishot Recvmsg.
func (o *Op) Front() int {
	if o.Code != Recvmsg || o.Flags&Multishot == 0 {
		return 0
	}
	name, control := o.rooms()
	return uring.RecvmsgHeader + name + control
}

// Selects reports whether the op takes its memory from the pool when data is there.
func (o *Op) Selects() bool { return o.Flags&(Select|Multishot) != 0 && o.Def().Select }

// Message reads what a multishot Recvmsg has put into a buffer: b is as much of it as
// the result says.
func (o *Op) Message(b []byte) (m uring.Message, ok bool) {
	name, control := o.rooms()
	return uring.ParseRecvmsg(b, name, control)
}
