//go:build linux

package main

import (
	"sync"
	"time"
)

// stalls are times in which this program did not run, or hardly: others had the processors.
type stalls struct {
	mu  sync.Mutex
	all []stall
}

// A stall ends at a time, and has lasted for so long.
type stall struct {
	at     time.Time
	lasted time.Duration
}

// stallsKept bounds those that are known: the last ones.
const stallsKept = 1000

// watch notes stalls until over is closed: what is to run after a tenth of a second runs late.
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

// since is how long those have lasted together that have ended since a time.
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
