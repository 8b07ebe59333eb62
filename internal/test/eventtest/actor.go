// Package eventtest has callbacks make calls that wait. An Actor is an iterator that goes on in whatever callback it
// waits for; a Conn, a Listener and a PacketConn have the methods of package sock's, each of which waits for its
// callback, and look that package event keeps its promises meanwhile. They belong to the thread of their loop.
package eventtest

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"ringo"
	"ringo/event"
)

// Actors are those of one loop: whose turn it is, and what callbacks did wrong.
type Actors struct {
	E        *event.Loop      // nil before the first Begin
	Now      *Actor           // whose turn it is
	Live     int              // how many have not ended
	Stopping bool             // the loop is being stopped
	Errs     []error          // what callbacks must not do
	Turns    int              // counts choices, of which each takes another way
	Clock    func() time.Time // of deadlines; nil: time.Now

	full map[*Conn]int // ReadFulls whose ends came in the turn
	hook *event.Hook   // that a turn begins
}

// An Actor is an iterator that goes on in callbacks.
type Actor struct {
	Of    any  // what the test has of it
	Aided bool // a task is at it

	b     *Actors
	l     *ringo.Loop
	next  func() (struct{}, bool)
	yield func(struct{}) bool
}

// UnsentMax is what Begin sets as the bound of unsent bytes: the default.
const UnsentMax = 64 << 20

// Wrong notes a mistake.
func (b *Actors) Wrong(format string, args ...any) {
	b.Errs = append(b.Errs, fmt.Errorf("callbacks: "+format, args...))
}

// Turn reports whether it is time for the other of two ways.
func (b *Actors) Turn(of int) bool {
	b.Turns++
	return b.Turns%of == 0
}

// On has the actors be those of a loop, as the first Begin does. A task of the loop calls it.
func (b *Actors) On(l *ringo.Loop) {
	b.E = event.On(l)
	b.E.SetUnsentMax(UnsentMax)
}

// Begin has body run in callbacks of the loop. A task of the loop calls it.
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

// Wait begins something, and waits until its end.
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

// Until waits turn by turn, as a task.
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

// Aside has a task do what may wait.
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
			case err == event.ErrStopped && !ran: // another's stop is not over
				a.l.Go(func() { f(); end() })
				return
			case err != nil || v != 7:
				a.b.Wrong("Go gives %d, %v", v, err)
			}
			end()
		})
	})
}

// Await has the actor whose turn it is wait until *slot is called.
func (b *Actors) Await(slot *func()) {
	if *slot != nil {
		b.Wrong("two wait for the same")
	}
	b.Now.Wait(func(end func()) { *slot = end })
}

// Tell has the actor that waits go on, if there is one.
func Tell(slot *func()) {
	if f := *slot; f != nil {
		*slot = nil
		f()
	}
}

// readFullsMost is how many ReadFulls of one connection may end in one turn: 64 of what is there already, and some at
// its ends.
const readFullsMost = 80

func (b *Actors) countFull(c *Conn) {
	if b.full[c]++; b.full[c] > readFullsMost {
		b.Wrong("%d ReadFulls in one turn", b.full[c])
	}
}
