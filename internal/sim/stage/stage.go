// Package stage is what loops are in that are in a simulated world: one thread on which those of any number of Runs
// take turns, by a clock of the world's own. It is the loop.World of those loops. All that belongs to a Stage happens
// on its thread, one thing at a time: no goroutine is begun, and no timer of Go's. Who opens it gives the loops their
// turns: each is a coroutine, whose driver gives the thread away in its Wait. A stage with goroutines has those of the
// program beside it, which run between its turns.
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

// Rules are what a world decides.
type Rules struct {
	// After has fn called on the stage's thread, on no loop, when its clock has gone on by d.
	After func(d time.Duration, fn func()) (stop func() bool)
	// Rand is the world's chance.
	Rand func() uint64
	// Left is told of a call that is not made from a task where it had to be: by a goroutine, or by who gives the
	// turns. G.
	Left func(what string, stack []byte)
	// Exits is told of a task that ends itself by runtime.Goexit.
	Exits func(l *loop.Loop)
}

// Stage is the thread.
type Stage struct {
	rules   Rules
	seat    sched.Seat
	current *loop.Loop // that has its turn; nil: none has
	turns   uint64     // of its loops
	watched []*watched
	close   func()
	beside  *goroutines // nil: there is nothing
}

// Open makes a stage of the calling goroutine, which has locked its thread.
func Open(rules Rules) *Stage {
	s := &Stage{rules: rules, seat: sched.CurrentSeat()}
	s.close = loop.GiveTurns(s)
	return s
}

// Close ends it, after all its loops. Goroutines beside go on, and may use nothing any more: Leave is for when none can
// be left.
func (s *Stage) Close() {
	if s.beside != nil {
		s.beside.ended()
		return
	}
	s.close()
}

// Leave ends what Close has left of a stage with goroutines.
func (s *Stage) Leave() { s.close() }

// TurnBegins says that a loop of the stage has the thread now.
func (s *Stage) TurnBegins(l *loop.Loop) {
	s.current = l
	if s.beside != nil {
		s.beside.begins(l)
	}
}

// TurnEnds says that it has it no more. What contexts have ended meanwhile is looked at.
func (s *Stage) TurnEnds() {
	s.current = nil
	if s.beside != nil {
		s.beside.ends()
	}
	if len(s.watched) > 0 {
		s.lookAtContexts()
	}
}

// Current is the loop that has its turn. Only where the caller is Here.
func (s *Stage) Current() *loop.Loop { return s.current }

// Leaves tells that a call was made from where it may not be.
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

// Beside says that there is nothing that a loop or a task could have wait in its place.
func (s *Stage) Beside() bool { return false }

// HasTurn reports whether it is the loop's turn, and the caller here.
func (s *Stage) HasTurn(l *loop.Loop) bool { return s.Here() && s.current == l && !l.Ended() }

// StandsStill reports whether it is nobody's turn, and the caller here.
func (s *Stage) StandsStill() bool { return s.Here() && s.current == nil }

// Reaches reports whether the caller is here, or one of the goroutines beside.
func (s *Stage) Reaches() bool {
	if !s.Here() && !s.Around() {
		s.Leaves("a call on a loop")
		return false
	}
	return true
}

// Outsider is for callers that are no task of the loop's host, and no goroutine beside.
func (s *Stage) Outsider(l *loop.Loop, what string) error {
	if me, _ := loop.Current(); me != nil && me.Kernel() == l.Kernel() || me == nil && s.Around() {
		return nil
	}
	return s.Leaves(what)
}

var errPassage = fmt.Errorf("%w: what is open in a simulated world can't be used outside of it, nor others inside",
	errors.ErrUnsupported)

// Passage says that there is none.
func (s *Stage) Passage() error { return errPassage }

// yieldEvery is how many turns the loops of a stage have from one yield to the next, in some 5 ms: its clock, which
// may go on by a millisecond or an hour in that time, can't tell.
const yieldEvery = 4096

// SchedYield counts a turn.
func (s *Stage) SchedYield(*loop.Loop) {
	if len(s.watched) > 0 { // also here: beside a loop that keeps its turns to itself, TurnEnds is not called
		s.lookAtContexts()
	}
	if s.turns++; s.turns%yieldEvery == 0 {
		gosched()
	}
}

var gosched = runtime.Gosched // but in tests

// Exits tells who wants to know.
func (s *Stage) Exits(l *loop.Loop) { s.rules.Exits(l) }

// realGrain is what times of Go's own clock are rounded up to, as seen from now: a deadline of time.Now().Add(d) is d
// from now in the world, however long the program has taken from there to here.
const realGrain = 100 * time.Millisecond

// Moment takes a time with a monotonic reading for one of Go's clock, since a world's times have none.
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

// loopTime is what the loop's clock says d from now.
func loopTime(l *loop.Loop, d int64) int64 {
	now := l.Elapsed()
	if d > 0 && d > math.MaxInt64-now {
		return math.MaxInt64
	}
	return max(1, now+d)
}

// After is by the world's clock.
func (s *Stage) After(d time.Duration, fn func()) (stop func() bool) { return s.rules.After(d, fn) }

// Rand is the world's chance.
func (s *Stage) Rand() uint64 {
	defer s.Enter()()
	return s.rules.Rand()
}

// Kernel is a host's kernel as a Host asks it.
type Kernel interface {
	// Call makes the plain call of an op.
	Call(o *op.Op) int32
	// Owed is for how long what Call has done since it was asked last lasts.
	Owed() time.Duration
}

// Host is a host of the world: the loop.World of its loops.
type Host struct {
	*Stage
	Kernel Kernel
	// Lookup finds a host by its name, in a task, which may park.
	Lookup func(l *loop.Loop, host string) ([]netip.Addr, error)
}

var _ loop.World = Host{}

// Call is by the host's kernel.
func (h Host) Call(o *op.Op) int32 { return h.Kernel.Call(o) }

// Names are the world's.
func (h Host) Names() func(*loop.Loop, string) ([]netip.Addr, error) { return h.Lookup }

// Offload runs what was to be offloaded a turn later. With goroutines beside, one runs what the program offloads.
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
