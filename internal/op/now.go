package op

import "ringo/internal/sys"

// pipeRoom is how much fits at least into a pipe that is ready: PIPE_BUF.
const pipeRoom = 4096

// transferNow reads or writes p on a descriptor in blocking mode. It must not block in a read, because a cancel could
// not end that without losing the bytes that the read takes. So it tells the kernel not to wait (RWF_NOWAIT). Where
// this kind of file does not support that (of writes to files kernels before 6.0 say so by EINVAL, which elsewhere is
// the call's own answer), it polls first and makes the call if the descriptor is ready. In between another reader of
// the same terminal or FIFO may take the bytes; then the thread waits for the next line.
func transferNow(o *Op, p []byte) int32 {
	fd := o.FD.Sys()
	now, later, ready := sys.ReadNow, sys.ReadAt, uint32(sys.PollIn)
	if o.Code == Write {
		now, later, ready = sys.WriteNow, sys.WriteAt, sys.PollOut
	}
	switch res := now(fd, p); {
	case res != -sys.EOPNOTSUPP && res != -sys.ENOSYS && (res != -sys.EINVAL || !sys.IsRegular(fd)):
		return res
	case o.Flags&NowOnly != 0:
		return -sys.EOPNOTSUPP
	}
	if sys.Poll(fd, ready) == 0 {
		return -sys.EAGAIN
	}
	if o.Code == Write {
		p = p[:min(len(p), pipeRoom)]
	}
	return later(fd, p, -1)
}
