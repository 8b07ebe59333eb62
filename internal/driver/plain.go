package driver

import (
	"ringo/internal/fd"
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

// Plain is a driver that receives and sends without an op what Try would with one that has only FD and Buf, for
// callers on any thread that have no op at hand. It is optional: where a driver has not got it, Try does the same. G.
type Plain interface {
	Receive(f *fd.FD, p []byte) (res int32, ok bool)
	Send(f *fd.FD, p []byte) (res int32, ok bool)
}

// Host is Plain by system calls, for drivers to embed.
type Host struct{}

// Receive receives, without waiting.
func (Host) Receive(f *fd.FD, p []byte) (res int32, ok bool) {
	for {
		res = sys.Recv(f.Sys(), p, 0)
		traceRead(p, res)
		if res != -sys.EINTR {
			return res, res != -sys.EAGAIN
		}
	}
}

// Send sends, without waiting.
func (Host) Send(f *fd.FD, p []byte) (res int32, ok bool) {
	if race.Enabled {
		race.WriteLike()
		race.ReadRange(p)
	}
	for {
		if res = sys.Send(f.Sys(), p, 0); res != -sys.EINTR {
			return res, res != -sys.EAGAIN
		}
	}
}

// ReadCached is a read of a file by what is in memory, at an offset, or at the position
// if that is negative: what Cached makes of a ReadAt, without an op. G.
func ReadCached(n int32, p []byte, off int64) int32 {
	res := sys.ReadAtNow(n, p, off)
	traceRead(p, res)
	return res
}

// ReadPlain is ReadCached for a read that may wait: what Call makes of a ReadAt. G.
func ReadPlain(n int32, p []byte, off int64) int32 {
	res := sys.ReadAt(n, p, off)
	traceRead(p, res)
	return res
}

// ReadInMemory is ReadPlain of a file that waits for no disk. G.
func ReadInMemory(n int32, p []byte, off int64) int32 {
	res := sys.ReadAtInMemory(n, p, off)
	traceRead(p, res)
	return res
}

// traceRead tells the race detector of a read.
func traceRead(p []byte, res int32) {
	if race.Enabled && res >= 0 {
		race.ReadLike()
		race.WriteRange(p[:res])
	}
}
