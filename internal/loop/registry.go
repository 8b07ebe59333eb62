package loop

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo/internal/rt/gmark"
	"ringo/internal/rt/sched"
)

// running is the list of all loops of the process, by which a call without a loop finds the task it runs in. The list
// is one slice, for fast search, and is replaced when loops come and go.
var running struct {
	sync.Mutex
	seats atomic.Pointer[[]seated]
}

type seated struct {
	seat sched.Seat
	l    *Loop
}

func register(l *Loop) {
	running.Lock()
	defer running.Unlock()
	var seats []seated
	if p := running.seats.Load(); p != nil {
		seats = slices.Clone(*p)
	}
	seats = append(seats, seated{l.thread.seat, l})
	running.seats.Store(&seats)
}

func deregister(l *Loop) {
	running.Lock()
	defer running.Unlock()
	seats := slices.DeleteFunc(slices.Clone(*running.seats.Load()), func(o seated) bool { return o.l == l })
	running.seats.Store(&seats)
}

// Running returns all running loops of the process, in the order in which they began. G.
func Running() []*Loop {
	var loops []*Loop
	if p := running.seats.Load(); p != nil {
		for _, s := range *p {
			loops = append(loops, s.l)
		}
	}
	return loops
}

// Current returns the loop and the task that the caller runs in, also from an iterator that the task runs; nil for an
// ordinary goroutine. G.
func Current() (*Loop, *Task) {
	p := running.seats.Load()
	shared := givers.list.Load()
	if (p == nil || len(*p) == 0) && shared == nil {
		return nil, nil
	}
	mine := sched.CurrentSeat()
	if p != nil {
		for i := range *p {
			if s := &(*p)[i]; s.seat == mine {
				return s.l, s.l.cur
			}
		}
	}
	if shared != nil {
		if g := giverHere(); g != nil {
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
var givers struct {
	sync.Mutex
	list atomic.Pointer[[]Giver]
}

// GiveTurns makes g, which the caller runs, known to the process, until over.
func GiveTurns(g Giver) (over func()) {
	changeGivers(func(all []Giver) []Giver { return append(all, g) })
	return func() {
		changeGivers(func(all []Giver) []Giver {
			return slices.DeleteFunc(all, func(o Giver) bool { return o == g })
		})
	}
}

func changeGivers(change func([]Giver) []Giver) {
	givers.Lock()
	defer givers.Unlock()
	var all []Giver
	if p := givers.list.Load(); p != nil {
		all = slices.Clone(*p)
	}
	all = change(all)
	givers.list.Store(&all)
}

// giver returns the first Giver for which which reports true; nil for none.
func giver(which func(Giver) bool) Giver {
	if p := givers.list.Load(); p != nil {
		for _, g := range *p {
			if which(g) {
				return g
			}
		}
	}
	return nil
}

// giverHere returns the Giver whose thread the caller is on; nil for none.
func giverHere() Giver { return giver(Giver.Here) }

// giverAround returns the Giver around whose thread the caller is; nil for none.
func giverAround() Giver { return giver(Giver.Around) }

// Around reports whether the caller is a goroutine around a simulated world. G.
func Around() bool { return giverAround() != nil }

// Astray returns ErrLeft if the caller gives the turns of a simulated world, or is a goroutine around one, and runs in
// none of its tasks: the system's kernel would run its call. The world learns of it. G.
func Astray(what string) error {
	if p := givers.list.Load(); p == nil || len(*p) == 0 {
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
