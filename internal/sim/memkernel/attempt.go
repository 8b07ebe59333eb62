package memkernel

import (
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Attempt makes the plain call of an op without waiting: -EAGAIN means that it would have to wait.
func (h *Host) Attempt(o *op.Op) int32 {
	if res := h.fails(o); res != 0 {
		if o.Code == op.Sync {
			if f, bad := h.fileAt(o.FD.Sys()); bad == 0 {
				f.failSync(0, pagesMax)
			}
		}
		return res
	}
	switch o.Code {
	case op.Nop:
		return 0
	case op.Call:
		o.Ext.Call()
		return 0
	case op.Accept:
		return h.accept(o.FD.Sys())
	case op.Connect:
		return h.attemptConnect(o)
	case op.Recv:
		return h.recv(o)
	case op.Send, op.SendZC:
		return h.send(o)
	case op.Recvmsg:
		return h.recvmsg(o)
	case op.Sendmsg:
		return h.sendmsg(o)
	case op.Recvmmsg:
		return h.receiveBatch(o)
	case op.Sendmmsg:
		return h.sendBatch(o)
	case op.Poll:
		return h.poll(o, uint32(o.Events)|sys.PollRdhup)
	case op.Room:
		return h.poll(o, sys.PollOut)
	case op.Read:
		return h.read(o.FD.Sys(), [][]byte{o.Buf}, o.Off)
	case op.Write:
		return h.write(o.FD.Sys(), [][]byte{o.Buf[o.Done:]}, o.Rest())
	case op.ReadAt:
		return h.read(o.FD.Sys(), [][]byte{o.Buf}, o.Off)
	case op.WriteAt:
		return h.write(o.FD.Sys(), [][]byte{o.Buf[o.Done:]}, o.Rest())
	case op.ReadVec:
		return h.read(o.FD.Sys(), o.Ext.Slices(), o.Off)
	case op.WriteVec:
		return h.write(o.FD.Sys(), o.Ext.Slices(), o.Off)
	case op.SpliceIn:
		return h.spliceIn(o)
	case op.SpliceOut:
		return h.spliceOut(o)
	case op.Sendfile:
		return h.sendfile(o)
	case op.Sync:
		f, _, res := find[*file](h, o.FD.Sys(), sys.EINVAL)
		if res < 0 {
			return res
		}
		f.sync(o.CallFlags != op.DataOnly)
		return 0
	case op.Allocate:
		f, res := h.fileAt(o.FD.Sys())
		if res < 0 {
			return res
		}
		return f.allocate(o.CallFlags, o.Off, o.Ext.Len)
	case op.Ftruncate:
		f, _, res := find[*file](h, o.FD.Sys(), sys.EINVAL)
		if res < 0 {
			return res
		}
		return f.truncate(o.Off)
	}
	return h.attemptName(o)
}

// fails returns the error of an op that is to fail; 0 otherwise. A host without power does nothing: a driver may still
// have ops of the turn in which it has crashed.
func (h *Host) fails(o *op.Op) int32 {
	switch {
	case h.down:
		return -sys.EIO
	case h.Fail == nil:
		return 0
	}
	return h.Fail(o)
}

// attemptName is Attempt for the ops on names.
func (h *Host) attemptName(o *op.Op) int32 {
	n, dir, to := o.Ext.Name, int32(sys.AtFdcwd), int32(sys.AtFdcwd)
	if o.FD != nil {
		dir, to = o.FD.Sys(), n.ToDir
	}
	switch o.Code {
	case op.Openat2:
		return h.Openat2(dir, n.Path, &n.How)
	case op.Statx:
		return h.Statx(dir, n.Path, o.CallFlags, sys.StatxAll, &n.Stat)
	case op.Mkdirat:
		return h.mkdirat(dir, n.Path, uint32(n.How.Mode))
	case op.Unlinkat:
		return h.Unlinkat(dir, n.Path, o.CallFlags)
	case op.Renameat:
		return h.renameat(dir, n.Path, to, n.To, o.CallFlags)
	case op.Linkat:
		return h.linkat(dir, n.Path, to, n.To, o.CallFlags)
	case op.Symlinkat:
		return h.symlinkat(n.To, dir, n.Path)
	}
	return -sys.EOPNOTSUPP
}

// attemptConnect begins a connect, or returns how it went.
func (h *Host) attemptConnect(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	if o.Done != 0 {
		switch {
		case s.err != 0:
			return -s.takeErr()
		case s.state == connecting:
			return -sys.EAGAIN
		}
		return 0
	}
	switch res = s.connect(&o.Ext.Addr); res {
	case -sys.EINPROGRESS:
		o.Done = 1
		return -sys.EAGAIN
	case -sys.EAGAIN:
		return -sys.EADDRNOTAVAIL
	}
	return res
}

func (h *Host) recv(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	n, beside, _ := s.receives([][]byte{o.Buf}, nil, o.CallFlags)
	beside.drop()
	return n
}

func (h *Host) send(o *op.Op) int32 {
	s, _, res := find[*socket](h, o.FD.Sys(), int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	if o.CallFlags&sys.MsgOob != 0 {
		return -sys.EOPNOTSUPP
	}
	var to *sys.Sockaddr
	if o.Ext != nil && o.Ext.Named {
		to = &o.Ext.Addr
	}
	return s.sends([][]byte{o.Buf[o.Done:]}, alone(), to)
}

// poll returns which of the requested events are ready.
func (h *Host) poll(o *op.Op, events uint32) int32 {
	mask := h.Ready(o.FD.Sys())
	if mask == sys.PollNval {
		return -sys.EBADF
	}
	if mask &= events | sys.PollErr | sys.PollHup; mask == 0 {
		return -sys.EAGAIN
	}
	return int32(mask)
}

// read reads from any descriptor.
func (h *Host) read(fd int32, bufs [][]byte, off int64) int32 {
	o := h.at(fd)
	switch {
	case o == nil:
		return -sys.EBADF
	case off >= 0 && streams(o.object):
		return -int32(sys.ESPIPE)
	}
	switch x := o.object.(type) {
	case readEnd:
		return x.read(bufs)
	case *bothEnds:
		return x.r.read(bufs)
	case *eventfd:
		return x.read(bufs)
	case *socket:
		if size(bufs) == 0 {
			return 0
		}
		n, beside, _ := x.receives(bufs, nil, 0)
		beside.drop()
		return n
	case *file:
		return x.read(bufs, off)
	}
	return -sys.EBADF
}

// write writes to any descriptor.
func (h *Host) write(fd int32, bufs [][]byte, off int64) int32 {
	o := h.at(fd)
	switch {
	case o == nil:
		return -sys.EBADF
	case off >= 0 && streams(o.object):
		return -int32(sys.ESPIPE)
	}
	switch x := o.object.(type) {
	case writeEnd:
		return x.write(bufs)
	case *bothEnds:
		return x.w.write(bufs)
	case *eventfd:
		return x.write(bufs)
	case *socket:
		return x.sends(bufs, alone(), nil)
	case *file:
		return x.write(bufs, off)
	}
	return -sys.EBADF
}

// streams reports whether an object has bytes without offsets.
func streams(x object) bool {
	switch x.(type) {
	case readEnd, writeEnd, *bothEnds, *eventfd, *socket:
		return true
	}
	return false
}

// IsFile reports whether a descriptor is a file, whose calls wait for a disk and not for readiness.
func (h *Host) IsFile(fd int32) bool {
	o := h.at(fd)
	if o == nil {
		return false
	}
	_, ok := o.object.(*file)
	return ok
}

// Cached reports whether a Blocking op would not wait for a disk, because the disk takes no time. As on Linux, an open
// that writes, or may wait for a FIFO's other end, can't be predicted.
func (h *Host) Cached(o *op.Op) bool {
	if h.Disk != nil || o.Code == op.Call {
		return false
	}
	if o.Code != op.Openat2 {
		return true
	}
	how := &o.Ext.Name.How
	if how.Flags&sys.OPath == 0 && how.Flags&(sys.OAccmode|sys.OCreat) != 0 {
		return false
	}
	dir := int32(sys.AtFdcwd)
	if o.FD != nil {
		dir = o.FD.Sys()
	}
	n, res := h.node(dir, o.Ext.Name.Path, 0, true)
	return res < 0 || n.mode&sys.SIfmt != sys.SIfifo
}

// What Host.Fail is passed for calls that are not ops.
var (
	plainReceive = op.Op{Code: op.Recv}
	plainSend    = op.Op{Code: op.Send}
)

// Receive receives from a socket, without waiting.
func (h *Host) Receive(fd int32, p []byte) int32 {
	if res := h.fails(&plainReceive); res != 0 {
		return res
	}
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	n, beside, _ := s.receives([][]byte{p}, nil, 0)
	beside.drop()
	return n
}

// Send sends on a socket, without waiting.
func (h *Host) Send(fd int32, p []byte) int32 {
	if res := h.fails(&plainSend); res != 0 {
		return res
	}
	s, _, res := find[*socket](h, fd, int32(sys.ENOTSOCK))
	if res < 0 {
		return res
	}
	return s.sends([][]byte{p}, alone(), nil)
}

// dropAll closes files that no receiver has asked for.
func dropAll(files []*openFile) {
	for _, f := range files {
		f.drop()
	}
}
