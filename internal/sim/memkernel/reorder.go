package memkernel

import (
	"time"

	"ringo/internal/sim/world"
)

// late is a datagram that waits for a later one of its way to overtake it.
type late struct {
	at, latest int64 // when it would have arrived, and when it does if none overtakes it
	arrives    *world.Event
	came       func()
}

// reorderLeast is how long a datagram waits if packets take no time.
const reorderLeast = time.Millisecond

// overtaken decides whether a datagram waits; only one on a way waits at a time. It returns nil if not, otherwise a
// function to call once the datagram has been overtaken.
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

// wait makes a datagram arrive behind the next one of its way, or when its time is up.
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

// overtake puts a datagram, whose arrival is planned, before the one that waits. own is the late of the datagram
// itself, if the new one is its copy, which does not overtake it.
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
