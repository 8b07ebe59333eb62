package memkernel

import (
	"encoding/binary"
	"math"

	"ringo/internal/sys"
)

// eventfd is a counter that can be waited for.
type eventfd struct {
	watchList
	n uint64
}

// Eventfd makes an eventfd, as eventfd(2) does.
func (h *Host) Eventfd() int32 {
	if res := h.lacks(sys.ENOMEM); res < 0 {
		return res
	}
	return h.made(&eventfd{}, sys.ONonblock|sys.ORdwr, true)
}

func (e *eventfd) released() {}

func (e *eventfd) ready() (mask uint32) {
	if e.n > 0 {
		mask |= sys.PollIn
	}
	if e.n < math.MaxUint64-1 {
		mask |= sys.PollOut
	}
	return mask
}

// read returns the count, and resets it.
func (e *eventfd) read(bufs [][]byte) int32 {
	switch {
	case size(bufs) < 8:
		return -sys.EINVAL
	case e.n == 0:
		return -sys.EAGAIN
	}
	scatter(bufs, binary.NativeEndian.AppendUint64(nil, e.n))
	e.n = 0
	e.tell()
	return 8
}

// write adds to the count.
func (e *eventfd) write(bufs [][]byte) int32 {
	var p []byte
	for _, b := range bufs {
		p = append(p, b...)
	}
	if len(p) < 8 {
		return -sys.EINVAL
	}
	n := binary.NativeEndian.Uint64(p)
	switch {
	case n == math.MaxUint64:
		return -sys.EINVAL
	case n > math.MaxUint64-1-e.n:
		return -sys.EAGAIN
	}
	e.n += n
	e.tell()
	return 8
}
