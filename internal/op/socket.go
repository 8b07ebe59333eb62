package op

import (
	"ringo/internal/sys"
	"ringo/uring"
)

// Accept takes the next connection of FD, a listener. The result is the new descriptor, non-blocking and CLOEXEC. A
// Multishot one goes on with the next connection. It does not ask for the peer's address, because a multishot accept
// has no place for that.
func prepAccept(o *Op, e *uring.SQE) {
	const flags = sys.SockNonblock | sys.SockCloexec
	if o.Flags&Multishot != 0 {
		e.PrepAcceptMultishot(int(o.FD.Sys()), flags)
		return
	}
	e.PrepAccept(int(o.FD.Sys()), flags)
}

func attemptAccept(o *Op) int32 { return sys.Accept(o.FD.Sys()) }

// Connect connects FD to Ext.Addr. As a plain call it is made again after readiness, when the socket's error says how
// it went.
func prepConnect(o *Op, e *uring.SQE) {
	sa, n := o.Ext.Addr.Pointer()
	e.PrepConnect(int(o.FD.Sys()), sa, n)
}

func attemptConnect(o *Op) int32 {
	if o.Done != 0 { // under way
		value, res := sys.GetsockoptInt(o.FD.Sys(), sys.SolSocket, sys.SoError)
		switch {
		case res < 0:
			return res
		case value != 0:
			return -value
		}
		var peer sys.Sockaddr
		if sys.Getpeername(o.FD.Sys(), &peer) < 0 {
			return -sys.EAGAIN
		}
		return 0
	}
	res := sys.Connect(o.FD.Sys(), &o.Ext.Addr)
	if res == -sys.EINPROGRESS {
		o.Done = 1
		return -sys.EAGAIN
	}
	if res == -sys.EAGAIN { // no local port, or a full backlog: readiness would not change that
		return -sys.EADDRNOTAVAIL
	}
	return res
}

// Recv receives into Buf, or with Select into a buffer of the pool that is chosen when there is data. 0 is the end of
// the stream. A multishot one ends by itself after Limit bytes, if Limit is not 0 and the driver can do that.
func prepRecv(o *Op, e *uring.SQE) {
	fd := int(o.FD.Sys())
	switch {
	case o.Flags&Multishot != 0:
		e.PrepRecvMultishot(fd, RingGroup, o.CallFlags)
	case o.Flags&Select != 0:
		e.PrepRecvSelect(fd, RingGroup, 0, o.CallFlags)
	default:
		e.PrepRecv(fd, o.Buf, o.CallFlags)
	}
}

// It has no check for the stack, for the reason why sys.Recv has none.
//
//go:nosplit
func attemptRecv(o *Op) int32 { return sys.Recv(o.FD.Sys(), o.Buf, o.CallFlags) }

// Send sends Buf, as one datagram to Ext.Addr if Ext has Named. With Full it ends when all of Buf is sent, or with the
// count that was.
//
//go:nosplit
func attemptSend(o *Op) int32 {
	if o.Ext != nil && o.Ext.Named {
		return sys.SendTo(o.FD.Sys(), o.Buf, o.CallFlags, &o.Ext.Addr)
	}
	return sys.Send(o.FD.Sys(), o.Buf[o.Done:], o.CallFlags)
}

// SendZC is Send without a copy, where the kernel and the socket can do that: the kernel uses Buf not until it has
// sent the bytes but until it needs them no longer, which it reports by a completion of its own. The first completion
// has the count, and More; the second is 0 with Notif. The second may come a round trip later. If the peer does not
// read, or is gone, it comes when the connection is given up: by its own timeouts, or by a Connect to the address that
// Sockaddr.SetUnspec makes, which needs no Close before it. If there is no such send, or it has failed, there is one
// completion, without More.
//
// The entry must not wait, for the reason why Sends are not entries: it is submitted when there is room.
func prepSendZC(o *Op, e *uring.SQE) {
	e.PrepSendZC(int(o.FD.Sys()), o.Buf[o.Done:], o.CallFlags|sys.MsgNosignal|sys.MsgDontwait)
}

// Sendmsg sends the vector of SetVector with Control, to Addr if Ext has Named.
func attemptSendmsg(o *Op) int32 {
	o.Ext.arm(false)
	return sys.Sendmsg(o.FD.Sys(), &o.Ext.Msg, o.CallFlags)
}

// Recvmsg receives a message into the vector of SetVector, with its sender if Ext has Named, and with as many control
// messages as there is room for in Control. Descriptors that arrive are CLOEXEC, and open: an owner that does not want
// them calls cmsg.CloseRights.
func prepRecvmsg(o *Op, e *uring.SQE) {
	o.Ext.arm(true)
	e.PrepRecvmsg(int(o.FD.Sys()), o.Ext.msg(), o.CallFlags|sys.MsgCmsgCloexec)
}

func attemptRecvmsg(o *Op) int32 {
	o.Ext.arm(true)
	return sys.Recvmsg(o.FD.Sys(), &o.Ext.Msg, o.CallFlags)
}

// Recvmmsg and Sendmmsg move the messages of Ext.Batch's window. The result is their number, which may be smaller; an
// error behind the first message is reported to the next call. io_uring has no such ops.
func attemptRecvmmsg(o *Op) int32 { return sys.Recvmmsg(o.FD.Sys(), o.Ext.Batch, o.CallFlags) }

func attemptSendmmsg(o *Op) int32 { return sys.Sendmmsg(o.FD.Sys(), o.Ext.Batch, o.CallFlags) }
