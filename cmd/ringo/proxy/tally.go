package proxy

import (
	"sync"

	"ringo/stats"
)

// failure is why something of an upstream has failed, in the words of /metrics.
type failure int

const (
	failDial    failure = iota // no connection
	failTimeout                // -dial or -answer was over
	failReset                  // a connection that ended before what was asked of it
	failures
)

func (f failure) String() string { return [...]string{"dial", "timeout", "reset"}[f] }

// failureOf is that of a cause; false: it is none of an upstream's.
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

// classes are those of answers, 1xx to 5xx.
const classes = 5

// tally is what is counted of an upstream for /metrics. Any goroutine may use it, and a task, since nothing waits while
// mu is held.
type tally struct {
	mu sync.Mutex
	figures
}

// figures are what a tally has counted.
type figures struct {
	answers [classes]uint64 // of requests, by class
	conns   uint64          // that were opened
	failed  [failures]uint64
	in, out int64
	began   stats.Histogram // times until answers began
	lasted  stats.Histogram // of requests, or of connections
}

// opens counts a connection.
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

// adds counts a visit that has ended.
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

// now is a copy.
func (t *tally) now() figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.figures
}
