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

// msg is the address that a submission carries.
func (x *Ext) msg() unsafe.Pointer { return unsafe.Pointer(&x.Msg) }

// vector is the address of the slices' vector.
func (x *Ext) vector() unsafe.Pointer { return unsafe.Pointer(&x.Iov[0]) }

// reset lets go of everything, so that a pooled Ext keeps nothing alive.
func (x *Ext) reset() {
	next := x.next
	*x = Ext{next: next}
}
