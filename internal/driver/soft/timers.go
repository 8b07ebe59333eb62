package soft

import (
	"cmp"
	"math"
	"slices"

	"ringo/internal/op"
)

// timers are the Timeout ops in order of their times, the next one last. There are few, because a loop keeps its own
// timers and passes the driver one deadline.
type timers []timer

type timer struct {
	at int64
	op *op.Op
}

// next returns the time of the next one, math.MaxInt64 if there is none.
func (t timers) next() int64 {
	if len(t) == 0 {
		return math.MaxInt64
	}
	return t[len(t)-1].at
}

// add inserts o, before those of the same time, so that it fires after them.
func (t *timers) add(at int64, o *op.Op) {
	i, _ := slices.BinarySearchFunc(*t, at, func(e timer, at int64) int { return cmp.Compare(at, e.at) })
	*t = slices.Insert(*t, i, timer{at, o})
}

// pop removes and returns the next one. There must be one.
func (t *timers) pop() *op.Op {
	last := len(*t) - 1
	o := (*t)[last].op
	(*t)[last].op = nil
	*t = (*t)[:last]
	return o
}

func (t *timers) remove(o *op.Op) {
	*t = slices.DeleteFunc(*t, func(e timer) bool { return e.op == o })
}
