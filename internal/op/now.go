package op

import "ringo/internal/sys"

// pipeRoom is what fits into a pipe that is ready, at least: PIPE_BUF.
const pipeRoom = 4096

// transferNow reads or writes p on a descriptor in blocking mode. Nothing may sit in
// such a read, which no cancel could end without the bytes that it takes: so the
// kernel is told not to wait (RWF_NOWAIT), and where this sort of file knows no
// such thing the call comes after a look at its readiness. That look is old by a
// moment; who shares a terminal or a FIFO with another reader may see the thread
// wait for the next line.
func transferNow(o *Op, p []byte) int32 {
	fd := o.FD.Sys()
	now, later, ready := sys.ReadNow, sys.ReadAt, uint32(sys.PollIn)
	if o.Code == Write {
		now, later, ready = sys.WriteNow, sys.WriteAt, sys.PollOut
	}
	switch res := now(fd, p); res {
	case -sys.EOPNOTSUPP, -sys.ENOSYS, -sys.EINVAL:
		if o.Flags&NowOnly != 0 {
			return -sys.EOPNOTSUPP
		}
	default:
		return res
	}
	if sys.Poll(fd, ready) == 0 {
		return -sys.EAGAIN
	}
	if o.Code == Write {
		p = p[:min(len(p), pipeRoom)]
	}
	return later(fd, p, -1)
}
