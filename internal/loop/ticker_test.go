package loop

import (
	"testing"
	"time"
)

// Ticks keep to the beat, however late the loop is, and none is made up for.
func TestTickerBeat(t *testing.T) {
	epoch := time.Now()
	var since time.Duration
	l := &Loop{set: &Set{epoch: epoch}, cfg: &Config{
		Since: func(time.Time) time.Duration { return since },
		Clock: func() time.Time { return epoch.Add(since) },
	}}
	var ticks []time.Duration
	tick := l.NewTicker(10, func(at time.Time) { ticks = append(ticks, at.Sub(epoch)) })
	turn := func(at time.Duration, wantTicks int, wantNext int64) {
		t.Helper()
		ticks = nil
		since = at
		l.tick()
		for due := l.timers.Pop(l.clock.now); due != nil; due = l.timers.Pop(l.clock.now) {
			due.Owner.(Alarm).Fire(due)
		}
		if len(ticks) != wantTicks || wantTicks > 0 && ticks[0] != at {
			t.Errorf("turn at %d: ticks %v, want %d", at, ticks, wantTicks)
		}
		if next := tick.t.At(); next != wantNext {
			t.Errorf("turn at %d: the next tick is at %d, want %d", at, next, wantNext)
		}
	}
	turn(9, 0, 10)
	turn(10, 1, 20)
	turn(23, 1, 30) // late
	turn(30, 1, 40) // and in time again
	turn(75, 1, 80) // 50, 60 and 70 are dropped
	turn(80, 1, 90)
	tick.Reset(7)
	turn(86, 0, 87)
	turn(87, 1, 94)
	tick.Stop()
	turn(200, 0, 94)
}
