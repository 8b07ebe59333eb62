package file

import (
	"sync/atomic"

	"ringo/internal/loop"
)

// refs counts the calls in flight on a descriptor, so that its number is not closed under a call and given to another
// file. The zero refs is open.
//
//	 63           1     0
//	┌──────────────┬────────┐
//	│ calls        │ closed │
//	└──────────────┴────────┘
type refs struct {
	state  atomic.Int64
	begun  atomic.Bool // a caller closes
	closer loop.Parker // the caller of close, which waits for the last call
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

// calls returns how many calls are under way.
func (r *refs) calls() int { return int(r.state.Load() / refsOne) }

// closing reports whether close has begun.
func (r *refs) closing() bool { return r.state.Load()&refsClosed != 0 }

// release ends a call.
func (r *refs) release() {
	if r.state.Add(-refsOne) == refsClosed && r.closer.Claim(0) {
		r.closer.Wake()
	}
}

// close lets no new call begin, and waits for the last one, even in a cancelled task; stop ends the waits of calls in
// flight. It returns false, and does not wait, if another caller has closed already.
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
