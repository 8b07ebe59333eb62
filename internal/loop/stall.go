package loop

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// stallWatch is what a loop tells the watcher, and who asks it in vain: which turn
// it is in. That is one store a turn, and one more before it sleeps; all else is the
// watcher's.
type stallWatch struct {
	began int64         // when the present turn began; no two turns say the same
	noted time.Duration // turns that are longer are looked at when they end
	since atomic.Int64  // began, for others; 0 while the loop may sleep

	longs  atomic.Int64 // turns that were put into turns, or passed over
	mu     sync.Mutex
	turns  []longTurn
	passed int // how many found no room
	lost   time.Duration
}

// longTurn is a turn that took longer than Config.Hold.
type longTurn struct {
	began int64
	took  time.Duration
}

// longTurnsMax bounds the long turns of a loop that wait for the watcher, which comes by every 50 ms. Of more it learns
// how many there were, and how long they took together.
const longTurnsMax = 32

func (w *stallWatch) begin(now int64) {
	w.began = max(now, w.began+1)
	w.since.Store(w.began)
}

// rest is said before a sleep, and after the last turn.
func (w *stallWatch) rest() { w.since.Store(0) }

// long notes a long turn that has ended.
func (w *stallWatch) long(began int64, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.turns) < longTurnsMax {
		w.turns = append(w.turns, longTurn{began, took})
	} else {
		w.passed++
		w.lost += took
	}
	w.longs.Add(1)
}

// takeLong gives the long turns that have ended since it was last asked. G.
func (w *stallWatch) takeLong(into []longTurn) (turns []longTurn, passed int, lost time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	turns = append(into, w.turns...)
	passed, lost = w.passed, w.lost
	w.turns, w.passed, w.lost = w.turns[:0], 0, 0
	return turns, passed, lost
}

// notedTurn is how long a turn is that is looked at when it ends.
func (c *Config) notedTurn() time.Duration {
	noted := time.Duration(math.MaxInt64)
	if c.Stall >= 0 {
		noted = c.Stall
	}
	if c.Hold > 0 {
		noted = min(noted, c.Hold)
	}
	return noted
}
