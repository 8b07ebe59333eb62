package memkernel

import (
	"time"

	"ringo/internal/sim/world"
)

// late is a datagram that waits for a later one of its way to overtake it.
type late struct {
	at, latest int64 // when it would have arrived, and when it does if none comes
	arrives    *world.Event
	came       func()
}

// reorderLeast is how long a datagram waits where nothing takes time.
const reorderLeast = time.Millisecond

// overtaken decides whether a datagram is to wait, as one at a time does: nil, or what is to be called once it has been
// overtaken.
func (n *Network) overtaken(from, to *Host, p float64) (came func()) {
	switch {
	case p <= 0, n.late[[2]*Host{from, to}] != nil:
		return nil
	case n.Overtaken != nil:
		return n.Overtaken(from, to, p)
	case n.w.Chance(p):
		return func() {}
	}
	return nil
}

// wait has a datagram arrive behind the next one of its way, or when its time is up.
func (n *Network) wait(from, to *Host, x *late, arrive func()) {
	way := [2]*Host{from, to}
	n.late[way] = x
	x.arrives = n.w.At(x.latest, func() {
		if n.late[way] == x {
			delete(n.late, way)
		}
		arrive()
	})
}

// overtake has a datagram whose arrival has been planned be in front of the one that waits, which is not own, of which
// it is a copy.
func (n *Network) overtake(from, to *Host, at int64, own *late) {
	way := [2]*Host{from, to}
	x := n.late[way]
	if x == nil || x == own || at > x.latest {
		return
	}
	delete(n.late, way)
	x.came()
	n.w.Plan(x.arrives, max(x.at, at))
}
