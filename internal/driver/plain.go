package driver

import (
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

// Call runs the op as a plain call, on the caller's thread, for as long as that takes:
// what ordinary goroutines do, and workers. The op need not be in a Slab. It leaves
// EINTR and EAGAIN to the caller. G.
func Call(o *op.Op) int32 {
	if !race.Enabled {
		return o.Attempt()
	}
	race.WriteLike()
	o.EachRead(race.ReadRange)
	res := o.Attempt()
	race.ReadLike()
	o.EachWritten(res, race.WriteRange)
	return res
}

// Cached runs a Blocking op by what the kernel has in memory, if it can be told to. ok
// is false if it would wait. -EOPNOTSUPP says that it can't be told, for this op or
// this file. G.
func Cached(o *op.Op) (res int32, ok bool) {
	if !race.Enabled {
		res = o.Cached()
		return res, res != -sys.EAGAIN
	}
	race.WriteLike()
	o.EachRead(race.ReadRange)
	res = o.Cached()
	race.ReadLike()
	o.EachWritten(res, race.WriteRange)
	return res, res != -sys.EAGAIN
}
