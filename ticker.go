package ringo

import (
	"fmt"
	"time"

	"ringo/internal/loop"
)

// A Ticker sends the time on a Chan at intervals, where the channel of a time.Ticker would stop the loop of a task that
// receives. Loop.NewTicker makes it. Only tasks of its loop may call its methods.
type Ticker struct {
	// C delivers the ticks. It buffers one tick; until that is received, further ticks are dropped, as with a
	// time.Ticker. Any goroutine may receive from C; callers must not send to it or close it.
	C *Chan[time.Time]

	t *loop.Ticker
}

// NewTicker makes a Ticker that ticks every d by the loop's clock, Loop.Now. If the loop is late, missed ticks are
// dropped and later ones keep the schedule. It panics if d is not positive. A Ticker does not keep the loop alive; the
// loop refers to the Ticker until Stop. Only a task may call it.
func (l *Loop) NewTicker(d time.Duration) *Ticker {
	e := l.task("Loop.NewTicker")
	wantPeriod(d, "Loop.NewTicker")
	t := &Ticker{C: NewChan[time.Time](1)}
	t.t = e.NewTicker(d, t.tick)
	return t
}

// tick sends a tick. The loop calls it on its thread, between tasks.
func (t *Ticker) tick(now time.Time) {
	t.C.mu.Lock()
	to, _, _ := t.C.send(now)
	t.C.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
}

// Stop stops the ticker. No tick from before is received after it. C is not closed, and Reset restarts the ticker.
func (t *Ticker) Stop() {
	t.engine("Stop").Stop()
	t.C.TryRecv()
}

// Reset restarts the ticker with ticks every d, the first after d. No tick from before is received after it. It panics
// if d is not positive.
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
