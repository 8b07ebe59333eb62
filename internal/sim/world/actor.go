package world

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"
)

// Actor is a coroutine that has its turns by the world's clock. Only one actor of a world runs at a time.
type Actor struct {
	w      *World
	told   Turns
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	turn   Event // the next turn; not planned while the actor runs or sleeps without end, and after its end
	onward bool  // the next turn continues this one: no event could have come between
	asleep bool
	ended  bool
}

// Turns is told of an actor's turns. It is two calls and not one around the turn, so that few returns follow the
// switches to the actor and back: the processor mispredicts each of them.
type Turns interface {
	// Begins reports whether the turn may begin. If not, Delay has put it off. onward says that no event came between
	// the turn before and this one, as if they were one.
	Begins(onward bool) bool
	// Ends is called when the actor waits, or has returned.
	Ends()
}

// Turns take time, in which those of other actors may come: usually little, and now and then much.
const (
	turnLeast = time.Microsecond
	turnMore  = 4 * time.Microsecond
	turnMost  = time.Millisecond
	turnRare  = 64 // one turn in so many takes long
)

// Go makes an actor that runs fn. Its first turn comes as soon as possible.
func (w *World) Go(fn func(a *Actor), told Turns) *Actor {
	a := &Actor{w: w, told: told}
	a.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		defer func() {
			a.ended = true
			if v := recover(); v != nil { // recovered here, because the stack would be lost on the other side
				panic(fmt.Errorf("%v\n%s", v, debug.Stack()))
			}
		}()
		fn(a)
	})
	a.turn.fn = a.begin
	w.Plan(&a.turn, w.Later(w.turnTime()))
	return a
}

// turnTime returns how long a turn takes.
func (w *World) turnTime() time.Duration {
	r := w.rand.Uint64()
	if r%turnRare == 0 {
		return turnLeast + time.Duration((r>>16)%uint64(turnMost))
	}
	return turnLeast + time.Duration((r>>16)%uint64(turnMore))
}

// begin runs a turn.
func (a *Actor) begin() {
	onward := a.onward
	a.onward, a.asleep = false, false
	a.w.turns.Add(1)
	if a.told.Begins(onward) {
		a.resume()
		a.told.Ends()
	}
}

// Pause ends a turn of an actor that has more to do: the next one comes after the time that this one takes. Only the
// actor itself may call it.
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

// Sleep ends a turn of an actor that has nothing to do before the time until, or Rouse. Only the actor itself may call
// it.
func (a *Actor) Sleep(until int64) {
	a.asleep = true
	a.w.Plan(&a.turn, until)
	a.yield(struct{}{})
}

// Never is later than any event: what is planned for it does not happen.
const Never = int64(1<<63 - 1)

// Rouse gives an actor that sleeps its next turn, after a moment. Other actors have one planned already.
func (a *Actor) Rouse() {
	if !a.asleep {
		return
	}
	a.asleep = false
	a.w.Plan(&a.turn, a.w.Later(a.w.turnTime()))
}

// RunNow gives an actor turns, one after the other, until it has ended: it must not wait for anything. The actor must
// not be running.
func (a *Actor) RunNow() {
	for !a.ended {
		a.w.Drop(&a.turn)
		a.begin()
	}
}

// Ended reports whether the actor's function has returned.
func (a *Actor) Ended() bool { return a.ended }

// Delay puts the next turn off by d, as if the machine stood still. The actor must not be running.
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
