package op

import (
	"fmt"
	"unsafe"

	"ringo/internal/sys"
)

// SetVector makes Msg refer to the slices, and keeps them reachable. It panics if there are more than IovMax: the
// caller has to split them.
func (x *Ext) SetVector(bufs [][]byte) {
	if len(bufs) > IovMax {
		panic(fmt.Sprintf("op: vector of %d slices, %d at most", len(bufs), IovMax))
	}
	x.Msg = sys.Msghdr{Iov: &x.Iov[0], Iovlen: uintptr(len(bufs))}
	for i, b := range bufs {
		x.Bufs[i] = b
		x.Iov[i] = sys.Iovec{Base: unsafe.SliceData(b), Len: uintptr(len(b))}
	}
}

// Copy copies the vector, the address and the control messages of another Ext, so that another op can make the same
// call again.
func (x *Ext) Copy(from *Ext) {
	x.Addr, x.Named, x.Control = from.Addr, from.Named, from.Control
	x.SetVector(from.Bufs[:from.Msg.Iovlen])
}

// Clear drops what Copy copies.
func (x *Ext) Clear() {
	x.SetVector(nil)
	clear(x.Bufs[:])
	x.Control, x.Named = nil, false
}

// SetVec makes Vec refer to the slices from byte skip on. It leaves out empty ones, and those past VecMax.
func (x *Ext) SetVec(bufs [][]byte, skip int) {
	x.Vec = x.Vec[:0]
	for i := 0; i < len(bufs) && len(x.Vec) < VecMax; i++ { // a range loop would load one slice past VecMax
		n := min(skip, len(bufs[i]))
		skip -= n
		if b := bufs[i][n:]; len(b) > 0 {
			x.Vec = append(x.Vec, sys.Iovec{Base: &b[0], Len: uintptr(len(b))})
		}
	}
}

// NewBatch makes a batch of n messages, for Ext.Batch.
func NewBatch(n int) *sys.Batch { return sys.NewBatch(n) }

// VecMax is how many slices one ReadVec or WriteVec takes: UIO_MAXIOV.
const VecMax = 1024

// eachVec calls f for the slices of Vec, for the first left bytes of them.
func (x *Ext) eachVec(left int, f func(p []byte)) {
	for _, v := range x.Vec {
		p := unsafe.Slice(v.Base, v.Len)
		p = p[:min(left, len(p))]
		left -= len(p)
		f(p)
	}
}

// Slices returns Vec as slices, for a simulated kernel.
func (x *Ext) Slices() (all [][]byte) {
	for _, v := range x.Vec {
		all = append(all, unsafe.Slice(v.Base, v.Len))
	}
	return all
}

// Message returns the vector of a message, from SetVector, for a simulated kernel.
func (x *Ext) Message() [][]byte { return x.Bufs[:x.Msg.Iovlen] }

// SetReceived sets what a simulated kernel has received beside the bytes: the sender, the number of bytes of control
// messages, and MSG_ flags.
func (x *Ext) SetReceived(from *sys.Sockaddr, control int, flags uint32) {
	if x.Msg.Controllen, x.Msg.Flags = uintptr(control), int32(flags); x.Named {
		x.Addr = *from
		x.Msg.Namelen = uint32(from.Len())
	}
}

// vec returns the address of Vec.
func (x *Ext) vec() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x.Vec)) }

// arm prepares Msg for another call or entry, because the last one has overwritten it.
func (x *Ext) arm(receive bool) { x.Msg.Arm(&x.Addr, x.Named, x.Control, receive) }

// Sender returns the sender of what a Recvmsg with Named has received; it is empty if the sender has no address.
func (x *Ext) Sender() *sys.Sockaddr {
	x.Addr.SetLen(x.Msg.Namelen)
	return &x.Addr
}

// Received returns the control messages that a Recvmsg has received, a part of Control.
func (x *Ext) Received() []byte {
	return x.Control[:min(uintptr(len(x.Control)), x.Msg.Controllen)]
}

// MsgFlags returns the MSG_ flags of what a Recvmsg has received: MsgTrunc means that the datagram was longer than the
// vector, MsgCtrunc that control messages were lost.
func (x *Ext) MsgFlags() uint32 { return x.Msg.OutFlags() }

// msg returns the address of Msg, for a submission.
func (x *Ext) msg() unsafe.Pointer { return unsafe.Pointer(&x.Msg) }

// reset drops all references, so that a pooled Ext keeps nothing alive.
func (x *Ext) reset() {
	next := x.next
	*x = Ext{next: next}
}
