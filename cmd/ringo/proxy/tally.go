package proxy

import (
	"sync"

	"ringo/stats"
)

// failure is the cause of a failure at an upstream, as /metrics has it.
type failure int

const (
	failDial    failure = iota // no connection could be made
	failTimeout                // -dial or -answer was over
	failReset                  // the connection ended too early
	failures
)

func (f failure) String() string { return [...]string{"dial", "timeout", "reset"}[f] }

// failureOf returns the failure for a cause; ok is false if the cause is not the upstream's.
func failureOf(why cause) (f failure, ok bool) {
	switch why {
	case endDial:
		return failDial, true
	case endTimeout:
		return failTimeout, true
	case endUpstream:
		return failReset, true
	}
	return 0, false
}

// classes is the number of classes of answers, 1xx to 5xx.
const classes = 5

// tally has the counters of an upstream for /metrics. Tasks and other goroutines may use it: nothing parks or blocks
// while mu is held.
type tally struct {
	mu sync.Mutex
	figures
}

// figures are the values of a tally.
type figures struct {
	answers [classes]uint64 // of requests, by class
	conns   uint64          // opened connections
	failed  [failures]uint64
	in, out int64
	began   stats.Histogram // times until answers began
	lasted  stats.Histogram // durations of requests, or of connections
}

// opens counts an opened connection.
func (t *tally) opens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns++
}

// fails counts a failure.
func (t *tally) fails(why cause) {
	if f, ok := failureOf(why); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.failed[f]++
	}
}

// adds adds a visit that has ended.
func (t *tally) adds(v *visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if class := v.status / 100; class >= 1 && class <= classes {
		t.answers[class-1]++
	}
	t.in += v.in
	t.out += v.out
	if v.first > 0 {
		t.began.Add(v.first)
	}
	t.lasted.Add(v.total)
}

// now returns a copy of the figures.
func (t *tally) now() figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.figures
}
