package memkernel

import (
	"ringo/internal/cmsg"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// install gives descriptors to open files that came, and stores these in control. It returns the bytes used, and
// MSG_CTRUNC if there was too little room.
func (h *Host) install(files []*openFile, control []byte) (n int, flags uint32) {
	if len(files) == 0 {
		return 0, 0
	}
	room := max(0, (len(control)-cmsg.HeaderSize)/4)
	var fds []int32
	for i, f := range files {
		if i < room {
			if fd := h.give(f, true); fd >= 0 {
				fds = append(fds, fd)
				continue
			}
		}
		f.drop()
		flags = sys.MsgCtrunc
	}
	if len(fds) == 0 {
		return 0, flags
	}
	return copy(control, cmsg.AppendRights(nil, fds)), flags
}

func (h *Host) sendmsg(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	beside, res := s.ancillary(o.Ext.Control)
	if res < 0 {
		return res
	}
	var to *sys.Sockaddr
	if o.Ext.Named {
		to = &o.Ext.Addr
	}
	return s.sends(o.Ext.Message(), beside, to)
}

func (h *Host) recvmsg(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	var from sys.Sockaddr
	res, beside, flags := s.receives(o.Ext.Message(), &from, o.CallFlags)
	if res < 0 {
		return res
	}
	n, more := h.put(beside, o.Ext.Control)
	o.Ext.SetReceived(&from, n, flags|more)
	return res
}

// sendBatch sends the messages of a batch, until one fails.
func (h *Host) sendBatch(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	b := o.Ext.Batch
	from, to := b.Bounds()
	for i := from; i < to; i++ {
		addr, control, bufs := b.Message(i)
		beside, res := s.ancillary(control)
		if res >= 0 {
			res = s.sends(bufs, beside, addr)
		}
		if res < 0 {
			if i > from {
				return int32(i - from)
			}
			return res
		}
		b.Took(i, int(res), nil, 0, 0)
	}
	return int32(to - from)
}

// receiveBatch receives as many messages as have come, and as the batch has room for.
func (h *Host) receiveBatch(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	b := o.Ext.Batch
	from, to := b.Bounds()
	for i := from; i < to; i++ {
		_, control, bufs := b.Message(i)
		var sender sys.Sockaddr
		n, beside, flags := s.receives(bufs, &sender, o.CallFlags)
		if i > from && (n < 0 || n == 0 && s.kind != sys.SockDgram) {
			return int32(i - from)
		}
		if n < 0 {
			return n
		}
		used, more := h.put(beside, control)
		b.Took(i, int(n), &sender, used, flags|more)
	}
	return int32(to - from)
}
