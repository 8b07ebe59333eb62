package ringo

import (
	"fmt"
	"time"

	"ringo/internal/loop"
)

// Ticker sends the time again and again, as a time.Ticker does, whose channel would stop
// the loop of a task that receives. Loop.NewTicker makes it. Its methods are for tasks of
// its loop.
type Ticker struct {
	// C is where the ticks come. It holds one: what is not received by the next tick is
	// the last for a while, since others are dropped, as with a time.Ticker. Any goroutine
	// may receive; nobody else should send, or close it.
	C *Chan[time.Time]

	t *loop.Ticker
}

// NewTicker makes a Ticker that ticks every d, by the loop's clock, as Loop.Now. Where the
// loop is late the ticks between are dropped, and those after keep to the beat. It panics
// if d is not positive. Only a task may call it. It does not keep the loop alive, and the
// loop keeps it until Stop.
func (l *Loop) NewTicker(d time.Duration) *Ticker {
	e := l.task("Loop.NewTicker")
	wantPeriod(d, "Loop.NewTicker")
	t := &Ticker{C: NewChan[time.Time](1)}
	t.t = e.NewTicker(d, t.tick)
	return t
}

// tick runs on the loop's thread, between tasks.
func (t *Ticker) tick(now time.Time) {
	t.C.mu.Lock()
	to, _, _ := t.C.send(now)
	t.C.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
}

// Stop ends the ticks. None that came before it is received after it, C is not closed,
// and Reset begins anew.
func (t *Ticker) Stop() {
	t.engine("Stop").Stop()
	t.C.TryRecv()
}

// Reset begins anew with ticks every d, the first after d. No earlier one is received
// after it. It panics if d is not positive.
func (t *Ticker) Reset(d time.Duration) {
	e := t.engine("Reset")
	wantPeriod(d, "Ticker.Reset")
	e.Reset(d)
	t.C.TryRecv()
}

func (t *Ticker) engine(method string) *loop.Ticker {
	var e *loop.Ticker
	if t != nil {
		e = t.t
	}
	wantHere(e.Loop(), "Ticker."+method)
	return e
}

func wantPeriod(d time.Duration, method string) {
	if d <= 0 {
		panic(fmt.Sprintf("ringo: %s of %v", method, d))
	}
}
