package loop

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo/internal/rt/gmark"
	"ringo/internal/rt/sched"
)

// seldomChanged is a list of the process. It is one slice, for fast search, and is replaced at each change.
type seldomChanged[T any] struct {
	mu   sync.Mutex
	list atomic.Pointer[[]T]
}

func (c *seldomChanged[T]) all() []T {
	if p := c.list.Load(); p != nil {
		return *p
	}
	return nil
}

func (c *seldomChanged[T]) add(v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := append(slices.Clone(c.all()), v)
	c.list.Store(&all)
}

func (c *seldomChanged[T]) remove(is func(T) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(c.all()), is)
	c.list.Store(&all)
}

// running is all loops of the process, by which a call without a loop finds the task it runs in.
var running seldomChanged[seated]

type seated struct {
	seat sched.Seat
	l    *Loop
}

func register(l *Loop) { running.add(seated{l.thread.seat, l}) }

func deregister(l *Loop) { running.remove(func(o seated) bool { return o.l == l }) }

// Running returns all running loops of the process, in the order in which they began. G.
func Running() (loops []*Loop) {
	for _, s := range running.all() {
		loops = append(loops, s.l)
	}
	return loops
}

// Current returns the loop and the task that the caller runs in, also from an iterator that the task runs; nil for an
// ordinary goroutine. G.
func Current() (*Loop, *Task) {
	seats, shared := running.all(), givers.all()
	if len(seats) == 0 && len(shared) == 0 {
		return nil, nil
	}
	mine := sched.CurrentSeat()
	for i := range seats {
		if s := &seats[i]; s.seat == mine {
			return s.l, s.l.cur
		}
	}
	if len(shared) > 0 {
		if g := giver(Giver.Here); g != nil {
			if l := g.Current(); l != nil {
				return l, l.cur
			}
		}
	}
	return nil, nil
}

// CurrentForGood is Current for callers that keep the task for longer than it runs: its Task will stand for no other
// job then. G.
func CurrentForGood() (*Loop, *Task) {
	l, t := Current()
	if t != nil && t == t.w.anon {
		t.w.anon = nil
	}
	return l, t
}

// ChargeAndYield is Loop.ChargeAndYield for a call without a loop; it does nothing for ordinary goroutines. The error
// is why the task may not go on. G, may park.
func ChargeAndYield() error {
	if l, _ := Current(); l != nil && !l.ChargeAndYield() {
		return l.Cause()
	}
	return nil
}

// ChargeAndYieldHere is ChargeAndYield for a call that a cancel does not end. It returns the task that the caller runs
// in; nil for an ordinary goroutine. G, may park.
func ChargeAndYieldHere() *Task {
	l, t := Current()
	if l != nil {
		l.ChargeAndYield()
	}
	return t
}

// Charge is Loop.Charge for a call without a loop; it does nothing for ordinary goroutines. G.
func Charge() {
	if l, _ := Current(); l != nil {
		l.Charge()
	}
}

// Mark returns the loop's mark, by which pools tell the owner from other callers.
func (l *Loop) Mark() *gmark.Mark { return &l.mark }

// Giver gives several loops their turns on one thread.
type Giver interface {
	// Here reports whether the caller is on that thread. G.
	Here() bool
	// Around reports whether the caller is one of the goroutines around that thread that may use the loops' handles.
	// G.
	Around() bool
	// Current returns the loop that has its turn; nil for none. Only for callers on that thread.
	Current() *Loop
	// Leaves records a call from where it must not be made, and returns the call's error.
	Leaves(what string) error
	// Rand returns a random number of the loops' world. G.
	Rand() uint64
}

// givers are the Givers of the process.
var givers seldomChanged[Giver]

// GiveTurns makes g, which the caller runs, known to the process, until over.
func GiveTurns(g Giver) (over func()) {
	givers.add(g)
	return func() { givers.remove(func(o Giver) bool { return o == g }) }
}

// giver returns the first Giver for which which reports true; nil for none.
func giver(which func(Giver) bool) Giver {
	for _, g := range givers.all() {
		if which(g) {
			return g
		}
	}
	return nil
}

// giverAround returns the Giver around whose thread the caller is; nil for none.
func giverAround() Giver { return giver(Giver.Around) }

// Around reports whether the caller is a goroutine around a simulated world. G.
func Around() bool { return giverAround() != nil }

// Astray returns ErrLeft if the caller gives the turns of a simulated world, or is a goroutine around one, and runs in
// none of its tasks: the system's kernel would run its call. The world learns of it. G.
func Astray(what string) error {
	if len(givers.all()) == 0 {
		return nil
	}
	if l, _ := Current(); l != nil {
		return nil
	}
	if g := giver(func(g Giver) bool { return g.Here() || g.Around() }); g != nil {
		return g.Leaves(what + ", for which a host is wanted,")
	}
	return nil
}
