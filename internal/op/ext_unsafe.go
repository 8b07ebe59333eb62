package op

import (
	"fmt"
	"unsafe"

	"ringo/internal/sys"
)

// SetVector makes Msg name the slices, of which it keeps hold. It panics past
// IovMax of them: the caller splits.
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

// Copy makes x what a call's memory says that is to be made again by another op: its vector, addresses and control
// messages.
func (x *Ext) Copy(from *Ext) {
	x.Addr, x.Named, x.Control = from.Addr, from.Named, from.Control
	x.SetVector(from.Bufs[:from.Msg.Iovlen])
}

// Clear lets go of what Copy copies.
func (x *Ext) Clear() {
	x.SetVector(nil)
	clear(x.Bufs[:])
	x.Control, x.Named = nil, false
}

// SetVec makes Vec name the slices, but for the first skip bytes; empty ones are left
// out, and those past VecMax.
func (x *Ext) SetVec(bufs [][]byte, skip int) {
	x.Vec = x.Vec[:0]
	for i := 0; i < len(bufs) && len(x.Vec) < VecMax; i++ { // range would load one more than it is asked for
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

// eachVec calls f for each slice of Vec, up to left bytes.
func (x *Ext) eachVec(left int, f func(p []byte)) {
	for _, v := range x.Vec {
		p := unsafe.Slice(v.Base, v.Len)
		p = p[:min(left, len(p))]
		left -= len(p)
		f(p)
	}
}

// Slices is Vec as slices, for a kernel that is no system's.
func (x *Ext) Slices() (all [][]byte) {
	for _, v := range x.Vec {
		all = append(all, unsafe.Slice(v.Base, v.Len))
	}
	return all
}

// Message is the vector of a message, which SetVector made, for such a kernel.
func (x *Ext) Message() [][]byte { return x.Bufs[:x.Msg.Iovlen] }

// SetReceived notes what such a kernel has received beside the bytes: who sent them, so many bytes of control messages,
// and MSG_ flags.
func (x *Ext) SetReceived(from *sys.Sockaddr, control int, flags uint32) {
	if x.Msg.Controllen, x.Msg.Flags = uintptr(control), int32(flags); x.Named {
		x.Addr = *from
		x.Msg.Namelen = uint32(from.Len())
	}
}

// vec is the address of Vec.
func (x *Ext) vec() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x.Vec)) }

// arm makes Msg ready for one more call or entry: the last one has overwritten it.
func (x *Ext) arm(receive bool) { x.Msg.Arm(&x.Addr, x.Named, x.Control, receive) }

// Sender is the address of who sent what a Recvmsg with Named has received, empty if
// that has none.
func (x *Ext) Sender() *sys.Sockaddr {
	x.Addr.SetLen(x.Msg.Namelen)
	return &x.Addr
}

// Received is the control messages that a Recvmsg has received, a part of Control.
func (x *Ext) Received() []byte {
	return x.Control[:min(uintptr(len(x.Control)), x.Msg.Controllen)]
}

// MsgFlags are the MSG_ flags of what a Recvmsg has received: MsgTrunc says that the
// datagram was longer than the vector, MsgCtrunc that control messages were lost.
func (x *Ext) MsgFlags() uint32 { return x.Msg.OutFlags() }

// msg is the address that a submission carries.
func (x *Ext) msg() unsafe.Pointer { return unsafe.Pointer(&x.Msg) }

// reset lets go of everything, so that a pooled Ext keeps nothing alive.
func (x *Ext) reset() {
	next := x.next
	*x = Ext{next: next}
}
