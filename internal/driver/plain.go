package driver

import (
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
)

// Call runs the op as a plain call on the caller's thread, for as long as that takes. Ordinary goroutines and workers
// use it. The op need not be in a Slab. EINTR and EAGAIN are returned to the caller. G.
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

// Cached runs a Blocking op by what the kernel has in memory. ok is false if the op would wait. -EOPNOTSUPP means that
// the kernel can't be told that, for this op or this file. G.
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

// Plain is a driver that can receive and send without an op, as Try does with an op that has only FD and Buf. It is
// for callers on any thread that have no op at hand. It is optional: Try does the same. G.
type Plain interface {
	Receive(f *fd.FD, p []byte) (res int32, ok bool)
	Send(f *fd.FD, p []byte) (res int32, ok bool)
}

// Host is a Plain that uses system calls, for drivers to embed.
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

// ReadCached reads from a file what is in memory, at off, or at the file's position if off is negative. It is Cached
// of a ReadAt without an op. G.
func ReadCached(n int32, p []byte, off int64) int32 {
	res := sys.ReadAtNow(n, p, off)
	traceRead(p, res)
	return res
}

// ReadPlain is ReadCached for a read that may wait: Call of a ReadAt without an op. G.
func ReadPlain(n int32, p []byte, off int64) int32 {
	res := sys.ReadAt(n, p, off)
	traceRead(p, res)
	return res
}

// ReadInMemory is ReadPlain for a file that waits for no disk. G.
func ReadInMemory(n int32, p []byte, off int64) int32 {
	res := sys.ReadAtInMemory(n, p, off)
	traceRead(p, res)
	return res
}

// traceRead reports a read to the race detector.
func traceRead(p []byte, res int32) {
	if race.Enabled && res >= 0 {
		race.ReadLike()
		race.WriteRange(p[:res])
	}
}
