package sock

import (
	"sync"

	"ringo/internal/handle"
	"ringo/internal/op"
)

// readVForeign gives what was left by the loop, or what the kernel has.
func (c *Conn) readVForeign(a handle.Access, bufs [][]byte) (total int64, err error) {
	v := vector{rest: bufs}
	if v.done() {
		return 0, nil
	}
	if here, err := isHere(a); err != nil {
		return 0, err
	} else if here {
		return copyToV(a.Input(), nil, &v), nil
	}
	o := c.opExtFor(a, op.Recvmsg)
	v.load(o.Ext, nil)
	res, err := a.Do()
	if err != nil {
		return 0, err
	}
	n, err := c.receivedForeign(a.Input(), res)
	return int64(n), err
}

// gathers is memory in which foreign callers gather slices, each in use for one call.
var gathers = sync.Pool{New: func() any { return new([gatherMax]byte) }}

// writeVForeign is WriteV for a foreign caller that has access.
func (c *Conn) writeVForeign(a handle.Access, bufs [][]byte) (total int64, err error) {
	for v := (vector{rest: bufs}); !v.done(); {
		var res int32
		if v.many() {
			memory := gathers.Get().(*[gatherMax]byte)
			res, err = a.Move(v.gather(memory[:]))
			gathers.Put(memory)
		} else {
			o := c.opExtFor(a, op.Sendmsg)
			v.load(o.Ext, nil)
			res, err = a.Do()
		}
		switch {
		case err != nil:
			return total, err
		case res < 0:
			return total, callError("write", res)
		}
		total += int64(res)
		v.skip(int(res))
	}
	return total, nil
}
