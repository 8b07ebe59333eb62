package census

import (
	"ringo/internal/loop"
	"ringo/internal/op"
)

// OpInfo describes an op that a loop's driver has.
type OpInfo struct {
	Op        string
	State     string // "queued", if the kernel has not taken it yet, or "in flight"
	FD        int32  // -1: none
	Bytes     int    // bytes of memory that is lent to the kernel
	Multishot bool
	Canceled  bool
}

// chunksInTurn is how many chunks of slots are looked at in a turn.
const chunksInTurn = 4

// Ops returns the ops that a loop's driver has. It looks at some chunks of slots each turn. ok is false, and there are
// no ops, if the loop is held or has ended. G, may park.
func Ops(l *loop.Loop) (ops []OpInfo, ok bool) {
	if l.Ended() {
		return nil, false
	}
	chunk := 0
	ok = ask(l, func() (done bool) {
		more := true
		for n := 0; more && n < chunksInTurn; n++ {
			more = l.Look().EachOpIn(chunk, func(o *op.Op) {
				if o.State == op.Queued || o.State == op.InFlight {
					ops = append(ops, infoOf(o))
				}
			})
			chunk++
		}
		return !more
	})
	if !ok {
		return nil, false
	}
	return ops, true
}

func infoOf(o *op.Op) OpInfo {
	i := OpInfo{
		Op: o.Def().Name, State: "in flight", FD: -1, Bytes: len(o.Buf), Multishot: o.Flags&op.Multishot != 0,
		Canceled: o.Canceled,
	}
	if o.State == op.Queued {
		i.State = "queued"
	}
	if o.FD != nil {
		i.FD = o.FD.Sys()
	}
	return i
}
