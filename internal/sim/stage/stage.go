// Package stage provides the loop.World of loops in a simulated world: one thread on which the loops of any number of
// Runs take turns, by the world's own clock. Everything that belongs to a Stage happens on its thread, one thing at a
// time; it starts no goroutine and no timer of Go's. The code that opens it gives the loops their turns: each loop is
// a coroutine, whose driver gives the thread away in its Wait. A stage with goroutines lets the program's goroutines
// run between its turns.
package stage

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/rt/sched"
)

// Rules are the parts that the world provides.
type Rules struct {
	// After calls fn on the stage's thread, on no loop, once the clock has advanced by d.
	After func(d time.Duration, fn func()) (stop func() bool)
	// Rand returns a random number of the world.
	Rand func() uint64
	// Left is told of a call that must come from a task and did not: it came from a goroutine, or from the code that
	// gives the turns. G.
	Left func(what string, stack []byte)
	// Exits is told of a task that calls runtime.Goexit.
	Exits func(l *loop.Loop)
}

// Stage is the thread of a world's loops.
type Stage struct {
	rules   Rules
	seat    sched.Seat
	current *loop.Loop // the loop that has its turn; nil: none has
	turns   uint64     // turns of its loops
	watched []*watched
	close   func()
	beside  *goroutines // nil: the stage has no goroutines
}

// Open makes a stage on the calling goroutine, which has locked its thread.
func Open(rules Rules) *Stage {
	s := &Stage{rules: rules, seat: sched.CurrentSeat()}
	s.close = loop.GiveTurns(s)
	return s
}

// Close ends the stage, after all its loops. Goroutines beside it may go on, but their calls fail; Leave is for the
// time when none can be left.
func (s *Stage) Close() {
	if s.beside != nil {
		s.beside.ended()
		return
	}
	s.close()
}

// Leave ends what Close has left for goroutines.
func (s *Stage) Leave() { s.close() }

// TurnBegins records that a loop of the stage has the thread.
func (s *Stage) TurnBegins(l *loop.Loop) {
	s.current = l
	if s.beside != nil {
		s.beside.begins(l)
	}
}

// TurnEnds records that the loop's turn is over. It calls the functions of contexts that have ended meanwhile.
func (s *Stage) TurnEnds() {
	s.current = nil
	if s.beside != nil {
		s.beside.ends()
	}
	if len(s.watched) > 0 {
		s.lookAtContexts()
	}
}

// Current returns the loop that has its turn. The caller must be Here.
func (s *Stage) Current() *loop.Loop { return s.current }

// Leaves reports a call that was made from a wrong place, and returns the error for it.
func (s *Stage) Leaves(what string) error {
	s.rules.Left(what, debug.Stack())
	return loop.ErrLeft
}

// Here reports whether the caller is on the stage's thread. G.
func (s *Stage) Here() bool {
	if s.beside != nil {
		return s.beside.here()
	}
	return s.seat.IsCurrent()
}

// Around reports whether the caller is one of the goroutines beside the loops. G.
func (s *Stage) Around() bool { return s.beside != nil && !s.beside.here() && s.beside.around() }

// Beside returns false: nothing else could wait in place of a loop or task.
func (s *Stage) Beside() bool { return false }

// HasTurn reports whether the loop has its turn, and the caller is on the stage's thread.
func (s *Stage) HasTurn(l *loop.Loop) bool { return s.Here() && s.current == l && !l.Ended() }

// StandsStill reports whether no loop has its turn, and the caller is on the stage's thread.
func (s *Stage) StandsStill() bool { return s.Here() && s.current == nil }

// Reaches reports whether the caller is on the stage's thread, or one of the goroutines beside it.
func (s *Stage) Reaches() bool {
	if !s.Here() && !s.Around() {
		s.Leaves("a call on a loop")
		return false
	}
	return true
}

// Outsider returns an error for callers that are neither a task of the loop's host nor a goroutine beside.
func (s *Stage) Outsider(l *loop.Loop, what string) error {
	if me, _ := loop.Current(); me != nil && me.Kernel() == l.Kernel() || me == nil && s.Around() {
		return nil
	}
	return s.Leaves(what)
}

var errPassage = fmt.Errorf("%w: what is open in a simulated world can't be used outside of it, nor others inside",
	errors.ErrUnsupported)

// Passage returns an error: nothing can be passed in or out.
func (s *Stage) Passage() error { return errPassage }

// yieldEvery is how many turns the loops of a stage have between two yields, which takes some 5 ms. The stage's clock,
// which may advance by a millisecond or an hour in that time, can't tell.
const yieldEvery = 4096

// SchedYield counts a turn, and yields to Go's scheduler now and then.
func (s *Stage) SchedYield(*loop.Loop) {
	if len(s.watched) > 0 { // needed here too: for a loop that is busy alone TurnEnds is not called
		s.lookAtContexts()
	}
	if s.turns++; s.turns%yieldEvery == 0 {
		gosched()
	}
}

var gosched = runtime.Gosched // replaced in tests

// Exits passes the news on.
func (s *Stage) Exits(l *loop.Loop) { s.rules.Exits(l) }

// realGrain is what times of Go's own clock are rounded up to, relative to now: a deadline of time.Now().Add(d)
// becomes d from now in the world, however long the program has taken since.
const realGrain = 100 * time.Millisecond

// Moment converts a time. One with a monotonic reading is of Go's clock, since a world's times have none.
func (s *Stage) Moment(l *loop.Loop, t time.Time) int64 {
	switch {
	case s.beside != nil:
		return s.beside.moment(l, t)
	case t == t.Round(0):
		return loopTime(l, int64(t.Sub(l.Config().Clock())))
	}
	d := time.Until(t)
	if d > 0 {
		d = (d + realGrain - 1).Truncate(realGrain)
	}
	return loopTime(l, int64(d))
}

// loopTime returns the time of the loop's clock d from now, at least 1.
func loopTime(l *loop.Loop, d int64) int64 {
	now := l.Elapsed()
	if d > 0 && d > math.MaxInt64-now {
		return math.MaxInt64
	}
	return max(1, now+d)
}

// After calls fn by the world's clock.
func (s *Stage) After(d time.Duration, fn func()) (stop func() bool) { return s.rules.After(d, fn) }

// Rand returns a random number of the world.
func (s *Stage) Rand() uint64 {
	defer s.Enter()()
	return s.rules.Rand()
}

// Kernel is the part of a host's kernel that a Host uses.
type Kernel interface {
	// Call makes the plain call of an op.
	Call(o *op.Op) int32
	// Owed returns how long the disk takes for everything that Call has done since the last Owed.
	Owed() time.Duration
}

// Host is a host of the world: the loop.World of its loops.
type Host struct {
	*Stage
	Kernel Kernel
	// Lookup returns the addresses of a host. It is called in a task, which may park.
	Lookup func(l *loop.Loop, host string) ([]netip.Addr, error)
}

var _ loop.World = Host{}

// Call makes the call in the host's kernel.
func (h Host) Call(o *op.Op) int32 { return h.Kernel.Call(o) }

// Names returns the look-up of the world.
func (h Host) Names() func(*loop.Loop, string) ([]netip.Addr, error) { return h.Lookup }

// Offload calls run in the task, a turn later. On a stage with goroutines, a goroutine calls what the program offloads.
func (h Host) Offload(l *loop.Loop, in lane.Lane, run func()) (here bool, err error) {
	switch {
	case h.beside != nil && in != lane.Names && in != lane.Files:
		return false, nil
	case in == lane.StandIns:
		return true, h.Leaves("a wait for a handle of another loop, or for one outside of the world,")
	}
	l.YieldTurn()
	if l.Canceled() {
		return true, l.Cause()
	}
	run()
	if d := h.Kernel.Owed(); d > 0 {
		l.Sleep(d)
	}
	return true, nil
}
