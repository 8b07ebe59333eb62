package soft

import (
	"cmp"
	"math"
	"slices"

	"ringo/internal/op"
)

// timers are the Timeout ops by time, the next one last. There are few: a loop
// keeps its own timers and gives the driver one deadline.
type timers []timer

type timer struct {
	at int64
	op *op.Op
}

// next is the time of the first, or math.MaxInt64.
func (t timers) next() int64 {
	if len(t) == 0 {
		return math.MaxInt64
	}
	return t[len(t)-1].at
}

// add puts o before those of the same time, so that it comes out after them.
func (t *timers) add(at int64, o *op.Op) {
	i, _ := slices.BinarySearchFunc(*t, at, func(e timer, at int64) int { return cmp.Compare(at, e.at) })
	*t = slices.Insert(*t, i, timer{at, o})
}

// pop takes the next one; there must be one.
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
