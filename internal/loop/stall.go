package loop

import "sync/atomic"

// stallWatch is what a loop tells the watcher: which turn it is in. That is one
// store a turn, and one more before it sleeps; all else is the watcher's.
type stallWatch struct {
	began   int64 // when the present turn began; no two turns say the same
	watched bool
	since   atomic.Int64 // began, for the watcher; 0 while the loop may sleep
}

func (w *stallWatch) begin(now int64) {
	w.began = max(now, w.began+1)
	if w.watched {
		w.since.Store(w.began)
	}
}

// rest is said before a sleep, and after the last turn.
func (w *stallWatch) rest() {
	if w.watched {
		w.since.Store(0)
	}
}
