package file

import (
	"sync/atomic"

	"ringo/internal/loop"
)

// hold counts the calls in flight on a descriptor, so that its number is not closed
// under one and given to somebody else. The zero hold is open.
//
//	 63           1     0
//	┌──────────────┬────────┐
//	│ calls        │ closed │
//	└──────────────┴────────┘
type hold struct {
	state  atomic.Int64
	begun  atomic.Bool // somebody closes
	closer loop.Parker // who waits for the last call
}

const (
	holdClosed = 1
	holdOne    = 2
)

// take begins a call. It reports false if the descriptor is closed.
func (h *hold) take() bool {
	if h.state.Add(holdOne)&holdClosed == 0 {
		return true
	}
	h.give()
	return false
}

// closing reports whether somebody closes, so that no more calls begin.
func (h *hold) closing() bool { return h.state.Load()&holdClosed != 0 }

// calls is how many are under way.
func (h *hold) calls() int { return int(h.state.Load() / holdOne) }

// give ends a call.
func (h *hold) give() {
	if h.state.Add(-holdOne) == holdClosed && h.closer.Claim(0) {
		h.closer.Wake()
	}
}

// close lets no call begin any more and waits for the last one, in a cancelled task
// too; stop is to hasten those that are there. It reports false, and does not wait, if
// somebody else has closed.
func (h *hold) close(stop func()) bool {
	if h.begun.Swap(true) {
		return false
	}
	l, t := loop.Current()
	h.closer.Begin(l, t)
	calls := h.state.Or(holdClosed)
	if calls == 0 && h.closer.Claim(0) {
		return true
	}
	stop()
	if l != nil {
		l.Shield()
		defer l.Unshield()
	}
	h.closer.Park()
	return true
}
