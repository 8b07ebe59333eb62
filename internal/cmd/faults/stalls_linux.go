//go:build linux

package main

import (
	"sync"
	"time"
)

// stalls are the times in which this program hardly ran, since others had the processors.
type stalls struct {
	mu  sync.Mutex
	all []stall
}

// A stall has its end and its length.
type stall struct {
	at     time.Time
	lasted time.Duration
}

// stallsKept bounds the stalls that are kept, the last ones.
const stallsKept = 1000

// watch notes stalls until over is closed: a timer of a tenth of a second that fires at least half a second late shows
// one.
func (s *stalls) watch(over <-chan struct{}) {
	const step = 100 * time.Millisecond
	for last := time.Now(); ; {
		select {
		case <-over:
			return
		case <-time.After(step):
		}
		now := time.Now()
		if d := now.Sub(last); d > 5*step {
			s.note(stall{now, d})
		}
		last = now
	}
}

func (s *stalls) note(one stall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all = append(s.all, one); len(s.all) > stallsKept {
		s.all = s.all[1:]
	}
}

// since returns the sum of the stalls that have ended after began.
func (s *stalls) since(began time.Time) (d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.at.After(began) {
			d += one.lasted
		}
	}
	return d
}
