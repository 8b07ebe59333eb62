// Package eventtest makes calls that wait out of callbacks. An Actor is an iterator that continues inside whatever
// callback it waits for. Conn, Listener and PacketConn have the methods of their counterparts in package sock; each
// method waits for its callback, and meanwhile checks that package event keeps its promises. All of them belong to the
// thread of their loop.
package eventtest

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"ringo"
	"ringo/event"
)

// Actors are the actors of one loop: which one runs now, and what callbacks did wrong.
type Actors struct {
	E        *event.Loop      // nil before the first Begin
	Now      *Actor           // the actor that runs now
	Live     int              // how many actors have not ended
	Stopping bool             // the loop is being stopped
	Errs     []error          // callbacks that must not have happened
	Turns    int              // counts choices between several ways; each choice takes another way
	Clock    func() time.Time // the clock of deadlines; nil: time.Now

	full map[*Conn]int // how many ReadFulls of each connection have ended in this turn
	hook *event.Hook   // called when a turn begins
}

// An Actor is an iterator that continues in callbacks.
type Actor struct {
	Of    any  // what the test associates with it
	Aided bool // a task runs a part of it

	b     *Actors
	l     *ringo.Loop
	next  func() (struct{}, bool)
	yield func(struct{}) bool
}

// UnsentMax is the bound of unsent bytes that On sets: the default of package event.
const UnsentMax = 64 << 20

// Wrong records a mistake of callbacks.
func (b *Actors) Wrong(format string, args ...any) {
	b.Errs = append(b.Errs, fmt.Errorf("callbacks: "+format, args...))
}

// Turn reports whether a choice should take the second of two ways, which is so once in so many calls.
func (b *Actors) Turn(of int) bool {
	b.Turns++
	return b.Turns%of == 0
}

// On sets the loop of the actors, as the first Begin does. A task of the loop calls it.
func (b *Actors) On(l *ringo.Loop) {
	b.E = event.On(l)
	b.E.SetUnsentMax(UnsentMax)
}

// Begin makes body run in callbacks of the loop. A task of the loop calls it.
func (b *Actors) Begin(l *ringo.Loop, of any, body func()) *Actor {
	if b.E == nil {
		b.On(l)
	}
	a := &Actor{Of: of, b: b, l: l}
	a.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if v := recover(); v != nil {
				b.Wrong("%v\n%s", v, debug.Stack())
			}
			if b.Live--; b.Live == 0 {
				b.hook.Stop()
			}
		}()
		a.yield = yield
		body()
	})
	if b.Live++; b.Live == 1 {
		b.full = make(map[*Conn]int)
		b.hook = b.E.Check(func() { clear(b.full) })
		b.hook.Unref()
	}
	b.E.AfterFunc(0, a.goOn)
	return a
}

func (a *Actor) goOn() {
	before := a.b.Now
	a.b.Now = a
	a.next()
	a.b.Now = before
}

// Wait calls begin, and waits until the function that begin got is called.
func (a *Actor) Wait(begin func(end func())) {
	over, waits := false, false
	begin(func() {
		if over {
			a.b.Wrong("what ends once ends again")
		}
		if over = true; waits {
			a.goOn()
		}
	})
	if !over {
		waits = true
		a.yield(struct{}{})
	}
}

// Until lets at least one turn pass, and more until is returns true. It waits by tasks.
func (a *Actor) Until(is func() bool) {
	for first := true; first || !is(); first = false {
		a.Wait(func(end func()) {
			a.l.Go(func() {
				a.l.Yield()
				end()
			})
		})
	}
}

// Aside makes a task run f, which may wait.
func (a *Actor) Aside(f func()) {
	if a.Aided {
		f()
		return
	}
	a.Aided = true
	defer func() { a.Aided = false }()
	a.Wait(func(end func()) {
		ran := false
		event.Go(a.b.E, func() (int, error) { ran = true; f(); return 7, nil }, func(v int, err error) {
			switch {
			case err == event.ErrStopped && !ran: // another actor's Stop is not over
				a.l.Go(func() { f(); end() })
				return
			case err != nil || v != 7:
				a.b.Wrong("Go gives %d, %v", v, err)
			}
			end()
		})
	})
}

// Await makes the actor that runs now wait until *slot is called.
func (b *Actors) Await(slot *func()) {
	if *slot != nil {
		b.Wrong("two wait for the same")
	}
	b.Now.Wait(func(end func()) { *slot = end })
}

// Tell calls *slot, so that the actor that waits for it continues, if there is one.
func Tell(slot *func()) {
	if f := *slot; f != nil {
		*slot = nil
		f()
	}
}

// readFullsMost is how many ReadFulls of one connection may end in one turn: 64 on bytes that are already there, and
// some when the bytes run out.
const readFullsMost = 80

func (b *Actors) countFull(c *Conn) {
	if b.full[c]++; b.full[c] > readFullsMost {
		b.Wrong("%d ReadFulls in one turn", b.full[c])
	}
}
