package memkernel

import (
	"ringo/internal/op"
	"ringo/internal/sys"
)

// spliceIn is splice(2) from a descriptor into a pipe. It returns -ENOSPC if the pipe is full, as internal/op
// requires.
func (h *Host) spliceIn(o *op.Op) int32 {
	res := h.splice(o.FD.Sys(), o.Other, int(o.Limit))
	if res == -sys.EAGAIN && h.Ready(o.Other)&(sys.PollOut|sys.PollErr) == 0 {
		return -sys.ENOSPC
	}
	return res
}

// spliceOut is splice(2) from a pipe to a descriptor. It returns 0 if the pipe is empty.
func (h *Host) spliceOut(o *op.Op) int32 {
	res := h.splice(o.Other, o.FD.Sys(), int(o.Limit))
	if res == -sys.EAGAIN && h.Ready(o.Other)&(sys.PollIn|sys.PollHup) == 0 {
		return 0
	}
	return res
}

// splice moves up to n bytes between two descriptors, one of which is a pipe.
func (h *Host) splice(from, to int32, n int) int32 {
	in, out := h.at(from), h.at(to)
	switch {
	case n == 0:
		return 0
	case in == nil, out == nil, !in.reads(), !out.writes():
		return -sys.EBADF
	}
	r, piped := in.object.(readEnd)
	w, fills := out.object.(writeEnd)
	switch {
	case !piped && !fills, out.flags&sys.OAppend != 0, piped && fills && r.pipe == w.pipe:
		return -sys.EINVAL
	case piped && r.len() == 0:
		if r.writers == 0 {
			return 0
		}
		return -sys.EAGAIN
	case fills && w.readers == 0:
		return -sys.EPIPE
	case fills && w.len() == w.max:
		return -sys.EAGAIN
	}
	if fills {
		n = min(n, w.max-w.len())
	}
	if res := h.accessesOf(in, out); res != 0 {
		return res
	}
	if piped {
		p := make([]byte, min(n, r.len()))
		r.peek(p)
		res := h.write(to, [][]byte{p}, -1)
		if res > 0 {
			r.skip(int(res))
			r.pipe.writes.tell()
		}
		return res
	}
	p := make([]byte, n)
	res := h.read(from, [][]byte{p}, -1)
	if res > 0 {
		w.put(p[:res])
		w.pipe.reads.tell()
	}
	return res
}

// accessesOf is accesses for a splice, if one of its ends is a file.
func (h *Host) accessesOf(in, out *openFile) (res int32) {
	if _, ok := in.object.(*file); ok {
		res = h.accesses(&plainRead)
	}
	if _, ok := out.object.(*file); ok {
		res = h.accesses(&plainWrite)
	}
	return res
}

// reads reports whether the open file may be read, and writes whether it may be written.
func (o *openFile) reads() bool  { return o.flags&sys.OAccmode != sys.OWronly }
func (o *openFile) writes() bool { return o.flags&sys.OAccmode != 0 }

// sendfile sends bytes of a file, from an offset or from its position, to a socket.
func (h *Host) sendfile(o *op.Op) int32 {
	f, of, res := find[*file](h, o.Other, sys.EINVAL)
	if res < 0 {
		return res
	}
	if !of.reads() {
		return -sys.EBADF
	}
	s, _, res := find[*socket](h, o.FD.Sys(), sys.EINVAL)
	if res < 0 {
		return res
	}
	at := o.Off
	if at < 0 {
		if at, res = h.Lseek(o.Other, 0, sys.SeekCur); res < 0 {
			return res
		}
	}
	if res := h.accesses(&plainRead); res != 0 {
		return res
	}
	p := make([]byte, min(int(o.Limit), sendfileMax))
	n := f.read([][]byte{p}, at)
	if n <= 0 {
		return n
	}
	if n = s.sends([][]byte{p[:n]}, alone(), nil); n > 0 && o.Off < 0 {
		h.Lseek(o.Other, at+int64(n), sys.SeekSet)
	}
	return n
}

// sendfileMax is the most bytes that one sendfile moves.
const sendfileMax = 1 << 20
