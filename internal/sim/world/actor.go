package world

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"
)

// Actor is a coroutine that has its turns when the world's clock says so. Of all actors of a world one runs at a time.
type Actor struct {
	w      *World
	told   Turns
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	turn   Event // the next; not planned: it runs, sleeps without end, or has ended
	onward bool  // the next turn goes on with this one: nothing could have come between
	asleep bool
	ended  bool
}

// Turns is told of an actor's turns. They are two calls and none around the turn, so that few returns lie behind the
// switch to the actor and back: the processor guesses each of them wrong.
type Turns interface {
	// Begins reports whether the turn is to be. If not, Delay has put it off. Onward says that nothing has come between
	// the turn before and this one, as if they were one.
	Begins(onward bool) bool
	// Ends is called when the actor waits, or has ended by its return.
	Ends()
}

// Turns take time, by which those of others come between: a little, and now and then so much that much comes between.
const (
	turnLeast = time.Microsecond
	turnMore  = 4 * time.Microsecond
	turnMost  = time.Millisecond
	turnRare  = 64 // one in so many
)

// Go makes an actor of a function, which has its first turn as soon as can be.
func (w *World) Go(fn func(a *Actor), told Turns) *Actor {
	a := &Actor{w: w, told: told}
	a.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		defer func() {
			a.ended = true
			if v := recover(); v != nil { // whose stack would be gone on the other side
				panic(fmt.Errorf("%v\n%s", v, debug.Stack()))
			}
		}()
		fn(a)
	})
	a.turn.fn = a.begin
	w.Plan(&a.turn, w.Later(w.turnTime()))
	return a
}

// turnTime is how long a turn takes.
func (w *World) turnTime() time.Duration {
	r := w.rand.Uint64()
	if r%turnRare == 0 {
		return turnLeast + time.Duration((r>>16)%uint64(turnMost))
	}
	return turnLeast + time.Duration((r>>16)%uint64(turnMore))
}

// begin is a turn.
func (a *Actor) begin() {
	onward := a.onward
	a.onward, a.asleep = false, false
	a.w.turns.Add(1)
	if a.told.Begins(onward) {
		a.resume()
		a.told.Ends()
	}
}

// Pause ends a turn of an actor that has more to do: the next one comes when this one has taken its time. Only for the
// actor.
func (a *Actor) Pause() {
	at := a.w.Later(a.w.turnTime())
	if a.w.free(at) {
		if a.w.stretch > 0 {
			a.w.stretch--
			a.w.turns.Add(1)
			a.w.now = at
			return
		}
		a.onward = true
	}
	a.w.Plan(&a.turn, at)
	a.yield(struct{}{})
}

// Sleep ends a turn of an actor that has nothing to do until the clock says so, or it is roused. Only for the actor.
func (a *Actor) Sleep(until int64) {
	a.asleep = true
	a.w.Plan(&a.turn, until)
	a.yield(struct{}{})
}

// Never is later than any event: what is planned for then does not happen.
const Never = int64(1<<63 - 1)

// Rouse gives an actor that sleeps its next turn, which takes a moment to come. Any other has one anyway.
func (a *Actor) Rouse() {
	if !a.asleep {
		return
	}
	a.asleep = false
	a.w.Plan(&a.turn, a.w.Later(a.w.turnTime()))
}

// RunNow gives an actor a turn at once, and another until it has ended: it must not wait for anything any more. Not for
// an actor that runs.
func (a *Actor) RunNow() {
	for !a.ended {
		a.w.Drop(&a.turn)
		a.begin()
	}
}

// Ended reports whether its function has returned.
func (a *Actor) Ended() bool { return a.ended }

// Delay puts the next turn off by d, as a machine that stands still does. Not for an actor that runs.
func (a *Actor) Delay(d time.Duration) {
	if a.ended {
		return
	}
	at := a.w.now
	if due, planned := a.w.due(&a.turn); planned {
		at = due
	} else if a.asleep {
		return
	}
	a.w.Plan(&a.turn, max(at, a.w.Later(d)))
}
