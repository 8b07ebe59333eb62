//go:build linux

package uring

import (
	"fmt"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/op"
	"ringo/internal/test/uringtest"
)

// watcher holds what the kernel is given against the slab: a request lives no
// longer than its op, and names nothing but what the op owns.
type watcher struct {
	slab *op.Slab
	k    *uringtest.Kernel
	d    *ring // nil until it is open
}

// shared says that cancels and timers may be there twice: an old one may not have
// ended when the next begins, and which of them answers makes no difference. So may
// the entries of a zero-copy send, which are counted.
func (w *watcher) shared(userData uint64) bool {
	switch mark(userData) {
	case markCancel, markTimer:
		return true
	case markOp:
		o := w.slab.Lookup(userData)
		return o != nil && o.Code == op.SendZC
	}
	return false
}

// check is the kernel's Config.Check.
func (w *watcher) check(r *uringtest.Request) error {
	switch mark(r.SQE.User_data) {
	case markOp, markPoll:
		return w.checkOp(r)
	case markTimer:
		return within(r.SQE.Addr, 16, unsafe.Pointer(&w.d.timer), unsafe.Sizeof(w.d.timer))
	case markSend:
		return w.checkSend(r)
	case markWake:
		if w.d != nil && r.SQE.Fd != w.d.wakeFD {
			return fmt.Errorf("polls fd %d to be woken, the eventfd is %d", r.SQE.Fd, w.d.wakeFD)
		}
	}
	return nil
}

// checkSend is for the sends of the outbox, in whose Wait the kernel is done with them.
func (w *watcher) checkSend(r *uringtest.Request) error {
	if w.d == nil || w.d.outbox == nil {
		return nil // of the self-test
	}
	i := int(uint32(r.SQE.User_data))
	if i >= w.d.entries {
		return fmt.Errorf("its Wait is over, or has no such send")
	}
	s := &w.d.outbox.Sends[i]
	if r.SQE.Fd != s.FD {
		return fmt.Errorf("its send is on fd %d", s.FD)
	}
	return within(r.SQE.Addr, uintptr(r.SQE.Len), unsafe.Pointer(unsafe.SliceData(s.Buf)), uintptr(len(s.Buf)))
}

func (w *watcher) checkOp(r *uringtest.Request) error {
	o := w.slab.Lookup(r.SQE.User_data &^ op.TokenMarks)
	switch {
	case o == nil:
		return fmt.Errorf("its op's slot has been given up")
	case o.State != op.InFlight && (o.State != op.Queued || o.Notifs == 0): // the next part may wait for room
		return fmt.Errorf("its op (%s) is in state %d, and the kernel is not done with it", o.Def().Name, o.State)
	case r.SQE.Opcode == abi.IORING_OP_TIMEOUT && o.Mode == waitsPause:
		return within(r.SQE.Addr, unsafe.Sizeof(w.d.pause), unsafe.Pointer(&w.d.pause), unsafe.Sizeof(w.d.pause))
	case o.FD != nil && r.SQE.Fd != o.FD.Sys():
		return fmt.Errorf("its op (%s) is on fd %d", o.Def().Name, o.FD.Sys())
	}
	if r.New() {
		if err := w.checkTurn(o); err != nil {
			return err
		}
	}
	if mark(r.SQE.User_data) == markPoll {
		return nil
	}
	return checkMemory(r, o)
}

// checkTurn finds a second op on one side of a stream.
func (w *watcher) checkTurn(o *op.Op) (err error) {
	if direction(o) == 0 {
		return nil
	}
	w.k.On(o.FD.Sys(), func(r *uringtest.Request) {
		if m := mark(r.SQE.User_data); m != markOp && m != markPoll {
			return
		}
		other := w.slab.Lookup(r.SQE.User_data &^ op.TokenMarks)
		if other != nil && other != o && other.Mode != waitsNotif && other.FD == o.FD &&
			direction(other) == direction(o) {
			err = fmt.Errorf("its op (%s) is not alone: %s is under way on the same stream",
				o.Def().Name, other.Def().Name)
		}
	})
	return err
}

func checkMemory(r *uringtest.Request, o *op.Op) error {
	selected := r.SQE.Flags&abi.IOSQE_BUFFER_SELECT != 0
	switch r.SQE.Opcode {
	case abi.IORING_OP_RECV, abi.IORING_OP_SEND, abi.IORING_OP_SEND_ZC, abi.IORING_OP_READ, abi.IORING_OP_WRITE:
		if selected {
			return nil
		}
		return within(r.SQE.Addr, uintptr(r.SQE.Len), unsafe.Pointer(unsafe.SliceData(o.Buf)), uintptr(len(o.Buf)))
	case abi.IORING_OP_RECVMSG, abi.IORING_OP_SENDMSG:
		if err := within(r.SQE.Addr, unsafe.Sizeof(o.Ext.Msg), unsafe.Pointer(&o.Ext.Msg),
			unsafe.Sizeof(o.Ext.Msg)); err != nil {
			return err
		}
		if m := &o.Ext.Msg; m.Name != nil && m.Name != o.Ext.Addr.Base() ||
			m.Control != unsafe.SliceData(o.Ext.Control) && m.Control != nil {
			return fmt.Errorf("it names an address at %p and control messages at %p, which are not its op's", m.Name,
				m.Control)
		}
		for i := range o.Ext.Msg.Iovlen {
			v, b := &o.Ext.Iov[i], o.Ext.Bufs[i]
			if err := within(uint64(uintptr(unsafe.Pointer(v.Base))), v.Len, unsafe.Pointer(unsafe.SliceData(b)),
				uintptr(len(b))); err != nil {
				return err
			}
		}
	case abi.IORING_OP_READV, abi.IORING_OP_WRITEV:
		if o.Ext.Vec == nil { // of a kernel without the plain entries
			return within(r.SQE.Addr, uintptr(r.SQE.Len)*unsafe.Sizeof(o.Ext.Iov[0]), unsafe.Pointer(&o.Ext.Iov),
				unsafe.Sizeof(o.Ext.Iov))
		}
		return within(r.SQE.Addr, uintptr(r.SQE.Len)*unsafe.Sizeof(o.Ext.Iov[0]),
			unsafe.Pointer(unsafe.SliceData(o.Ext.Vec)), uintptr(len(o.Ext.Vec))*unsafe.Sizeof(o.Ext.Iov[0]))
	case abi.IORING_OP_OPENAT2, abi.IORING_OP_STATX, abi.IORING_OP_MKDIRAT, abi.IORING_OP_UNLINKAT,
		abi.IORING_OP_RENAMEAT, abi.IORING_OP_LINKAT, abi.IORING_OP_SYMLINKAT:
		return checkNames(r, o.Ext.Name)
	case abi.IORING_OP_TIMEOUT:
		return within(r.SQE.Addr, unsafe.Sizeof(o.Ext.Time), unsafe.Pointer(&o.Ext.Time), unsafe.Sizeof(o.Ext.Time))
	}
	return nil
}

// checkNames is for ops on names.
func checkNames(r *uringtest.Request, n *op.Name) error {
	path, to := n.Path, n.To
	if r.SQE.Opcode == abi.IORING_OP_SYMLINKAT {
		path, to = to, path
	}
	if err := within(r.SQE.Addr, uintptr(len(path)), unsafe.Pointer(unsafe.SliceData(path)),
		uintptr(len(path))); err != nil {
		return err
	}
	switch r.SQE.Opcode {
	case abi.IORING_OP_OPENAT2:
		return within(r.SQE.Off, uintptr(r.SQE.Len), unsafe.Pointer(&n.How), unsafe.Sizeof(n.How))
	case abi.IORING_OP_STATX:
		return within(r.SQE.Off, unsafe.Sizeof(n.Stat), unsafe.Pointer(&n.Stat), unsafe.Sizeof(n.Stat))
	case abi.IORING_OP_RENAMEAT, abi.IORING_OP_LINKAT, abi.IORING_OP_SYMLINKAT:
		return within(r.SQE.Off, uintptr(len(to)), unsafe.Pointer(unsafe.SliceData(to)), uintptr(len(to)))
	}
	return nil
}

// within checks that memory which a request names lies in memory of its op's.
func within(addr uint64, n uintptr, mem unsafe.Pointer, size uintptr) error {
	if from := uint64(uintptr(mem)); n > 0 && (addr < from || addr+uint64(n) > from+uint64(size)) {
		return fmt.Errorf("the op's memory is %d bytes at %#x", size, from)
	}
	return nil
}
