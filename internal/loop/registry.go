package loop

import (
	"slices"
	"sync"
	"sync/atomic"

	"ringo/internal/rt/gmark"
	"ringo/internal/rt/sched"
)

// running is all loops of the process, so that a call that was given none can
// find the task it runs in. What is looked at is beside each other and changes only when
// loops come and go.
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

// Running is all loops of the process that run now, in the order in which they began. G.
func Running() []*Loop {
	var loops []*Loop
	if p := running.seats.Load(); p != nil {
		for _, s := range *p {
			loops = append(loops, s.l)
		}
	}
	return loops
}

// Current finds the loop and task that the caller runs in, also from an iterator that the
// task runs; nil if it is an ordinary goroutine. G.
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

// CurrentForGood is Current for who may keep the task for longer than it runs: it is no other job's then. G.
func CurrentForGood() (*Loop, *Task) {
	l, t := Current()
	if t != nil && t == t.w.anon {
		t.w.anon = nil
	}
	return l, t
}

// ChargeAndYield is Loop.ChargeAndYield for a call that was given no loop; it does nothing for ordinary
// goroutines. The error is why a task may not go on. G, may park.
func ChargeAndYield() error {
	if l, _ := Current(); l != nil && !l.ChargeAndYield() {
		return l.Cause()
	}
	return nil
}

// ChargeAndYieldHere is ChargeAndYield for a call that a cancel does not end, and gives the task that the caller runs
// in; nil if it is an ordinary goroutine. G, may park.
func ChargeAndYieldHere() *Task {
	l, t := Current()
	if l != nil {
		l.ChargeAndYield()
	}
	return t
}

// Charge is Loop.Charge for a call that was given no loop; it does nothing for ordinary
// goroutines. G.
func Charge() {
	if l, _ := Current(); l != nil {
		l.Charge()
	}
}

// Mark is the loop's mark, for pools that tell owners from others.
func (l *Loop) Mark() *gmark.Mark { return &l.mark }

// Giver is who gives loops their turns on one thread.
type Giver interface {
	// Here reports whether the caller is on that thread. G.
	Here() bool
	// Around reports whether the caller is one of the goroutines beside it, that may use what the loops have. G.
	Around() bool
	// Current is the loop that has its turn; nil: none has. For who is Here.
	Current() *Loop
	// Leaves tells that a call was made from where it may not be, and is the error.
	Leaves(what string) error
	// Rand is the chance of the loops' world. G.
	Rand() uint64
}

// givers are those of the process.
var givers struct {
	sync.Mutex
	list atomic.Pointer[[]Giver]
}

// GiveTurns makes the calling goroutine that of a Giver, until over.
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

// giver is the first of whom which reports true; nil: there is none.
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

// giverHere is the one whose thread the caller is on; nil: none.
func giverHere() Giver { return giver(Giver.Here) }

// giverAround is the one beside whose thread the caller is; nil: none.
func giverAround() Giver { return giver(Giver.Around) }

// Around reports whether the caller is a goroutine beside a simulated world. G.
func Around() bool { return giverAround() != nil }

// Astray is ErrLeft if the caller gives the turns of a simulated world, or is a goroutine there, and is in none of its
// tasks: the system's kernel would answer it. The world is told. G.
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
