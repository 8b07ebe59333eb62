package file

import (
	"sync/atomic"

	"ringo/internal/loop"
)

// refs counts the calls in flight on a descriptor, so that its number is not closed
// under one and given to somebody else. The zero refs is open.
//
//	 63           1     0
//	┌──────────────┬────────┐
//	│ calls        │ closed │
//	└──────────────┴────────┘
type refs struct {
	state  atomic.Int64
	begun  atomic.Bool // somebody closes
	closer loop.Parker // who waits for the last call
}

const (
	refsClosed = 1
	refsOne    = 2
)

// acquire begins a call. It returns false if the descriptor is closed.
func (r *refs) acquire() bool {
	if r.state.Add(refsOne)&refsClosed == 0 {
		return true
	}
	r.release()
	return false
}

// calls is how many are under way.
func (r *refs) calls() int { return int(r.state.Load() / refsOne) }

// closing reports whether somebody waits for the last call.
func (r *refs) closing() bool { return r.state.Load()&refsClosed != 0 }

// release ends a call.
func (r *refs) release() {
	if r.state.Add(-refsOne) == refsClosed && r.closer.Claim(0) {
		r.closer.Wake()
	}
}

// close lets no call begin any more and waits for the last one, in a cancelled task
// too; stop ends the waits of those in flight. It returns false, and does not wait, if
// somebody else has closed.
func (r *refs) close(stop func()) bool {
	if r.begun.Swap(true) {
		return false
	}
	l, t := loop.Current()
	r.closer.For = "file.Close"
	r.closer.Begin(l, t)
	calls := r.state.Or(refsClosed)
	if calls == 0 && r.closer.Claim(0) {
		return true
	}
	stop()
	if l != nil {
		l.Shield()
		defer l.Unshield()
	}
	r.closer.Park()
	return true
}
