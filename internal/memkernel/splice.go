//go:build linux

package memkernel

import (
	"golang.org/x/sys/unix"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Call is Attempt, for who is no driver.
func (h *Host) Call(o *op.Op) int32 { return h.Attempt(o) }

// spliceIn moves what a descriptor has into a pipe, as far as there is room.
func (h *Host) spliceIn(o *op.Op) int32 {
	w, _, res := find[writeEnd](h, o.Other, sys.EINVAL)
	if res < 0 {
		return res
	}
	if w.readers == 0 {
		return -sys.EPIPE
	}
	p := make([]byte, min(int(o.Limit), w.max-w.len()))
	if len(p) == 0 {
		if o.Limit == 0 {
			return 0
		}
		return -sys.ENOSPC // as the op has it: no readiness of the socket would end that
	}
	n := h.read(o.FD.Sys(), [][]byte{p}, -1)
	if n > 0 {
		w.put(p[:n])
		w.reads.tell()
	}
	return n
}

// spliceOut moves what is in a pipe to a descriptor, as far as that has room.
func (h *Host) spliceOut(o *op.Op) int32 {
	r, _, res := find[readEnd](h, o.Other, sys.EINVAL)
	if res < 0 {
		return res
	}
	p := make([]byte, min(int(o.Limit), r.len()))
	if r.peek(p); len(p) == 0 {
		return 0
	}
	n := h.write(o.FD.Sys(), [][]byte{p}, -1)
	if n > 0 {
		r.skip(int(n))
		r.writes.tell()
	}
	return n
}

// sendfile moves what a file has, from an offset on or at its position, to a socket.
func (h *Host) sendfile(o *op.Op) int32 {
	f, of, res := find[*file](h, o.Other, sys.EINVAL)
	if res < 0 {
		return res
	}
	if of.flags&sys.OAccmode == sys.OWronly {
		return -sys.EBADF
	}
	s, _, res := find[*socket](h, o.FD.Sys(), sys.EINVAL)
	if res < 0 {
		return res
	}
	at := o.Off
	if at < 0 {
		if at, res = h.Lseek(o.Other, 0, unix.SEEK_CUR); res < 0 {
			return res
		}
	}
	p := make([]byte, min(int(o.Limit), sendfileMax))
	n := f.read([][]byte{p}, at)
	if n <= 0 {
		return n
	}
	if n = s.sends([][]byte{p[:n]}, alone(), nil); n > 0 && o.Off < 0 {
		h.Lseek(o.Other, at+int64(n), unix.SEEK_SET)
	}
	return n
}

// sendfileMax is how many bytes one sendfile moves.
const sendfileMax = 1 << 20
