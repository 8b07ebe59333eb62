package sock

import (
	"sync"

	"ringo/internal/handle"
	"ringo/internal/op"
)

// exts is memory for the vectors of foreign callers, each in use for one call.
var exts = sync.Pool{New: func() any { return new(op.Ext) }}

// vectoredOp lets a foreign caller that has access use its op for slices, until done.
func vectoredOp(o *op.Op, code op.Code) (done func()) {
	before := o.Code
	o.Code, o.Ext = code, exts.Get().(*op.Ext)
	return func() {
		unload(o.Ext)
		exts.Put(o.Ext)
		o.Code, o.Ext = before, nil
	}
}

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
	o := a.Op()
	defer vectoredOp(o, op.Recvmsg)()
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

// send sends the next slices for a foreign caller that has access.
func (v *vector) send(a handle.Access, o *op.Op) (int32, error) {
	if v.many() {
		memory := gathers.Get().(*[gatherMax]byte)
		defer gathers.Put(memory)
		o.Buf = v.gather(memory[:])
		defer func() { o.Buf = nil }()
	} else {
		defer vectoredOp(o, op.Sendmsg)()
		v.load(o.Ext, nil)
	}
	return a.Do()
}

// writeVForeign is WriteV for a foreign caller that has access.
func (c *Conn) writeVForeign(a handle.Access, bufs [][]byte) (total int64, err error) {
	v, o := vector{rest: bufs}, a.Op()
	if v.done() {
		return 0, nil
	}
	for {
		res, err := v.send(a, o)
		switch {
		case err != nil:
			return total, err
		case res < 0:
			return total, callError("write", res)
		}
		total += int64(res)
		v.skip(int(res))
		if v.done() {
			return total, nil
		}
	}
}
