package sched

import (
	"testing"
	"time"
)

// A loop goes through the scheduler before the monitor takes note of it, if it is busy, and never if it
// sleeps long enough to lose its P anyway.
func TestSchedYield(t *testing.T) {
	for _, c := range []struct {
		name  string
		gap   time.Duration // between two turns
		every int64         // turns from one yield to the next; 0: there is none
	}{
		{"busy", 10 * time.Microsecond, 800},
		{"turns of a millisecond", time.Millisecond, 8},
		{"300 turns a second", 3300 * time.Microsecond, 3},
		{"long turns", 5 * time.Millisecond, 2},
		{"150 turns a second", 6600 * time.Microsecond, 0},
		{"mostly asleep", time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			y, now, last, yields := YieldClock{at: 1, last: 1}, int64(1), int64(0), 0
			for turn := int64(1); turn <= 2000; turn++ {
				now += int64(c.gap)
				if !y.Due(now) {
					continue
				}
				if turn-last != c.every {
					t.Fatalf("turn %d: a yield %d turns after the one before, want %d", turn, turn-last, c.every)
				}
				last = turn
				yields++
			}
			if c.every > 0 && yields != int(2000/c.every) {
				t.Errorf("%d yields in 2000 turns, want %d", yields, 2000/c.every)
			}
		})
	}
}

// A loop that was asleep has a while before its next yield is due.
func TestSchedYieldAfterSleep(t *testing.T) {
	y := YieldClock{at: 1, last: 1}
	now := int64(time.Second)
	for end := now + yieldEvery; now < end; now += int64(time.Millisecond) {
		if y.Due(now) {
			t.Fatalf("a yield %v after a sleep", time.Duration(now-int64(time.Second)))
		}
	}
	if !y.Due(now) {
		t.Error("no yield is due in time")
	}
}
