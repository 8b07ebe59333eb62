package main

import (
	"fmt"
	"time"

	"ringo"
)

// printStats prints a line per period until the server stops. It is not a task:
// asking another loop for its counters waits.
func (s *server) printStats(loops []*ringo.Loop) {
	tick := time.NewTicker(s.o.stats)
	defer tick.Stop()
	last := total(loops)
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
		now := total(loops)
		fmt.Fprintln(s.stderr, statsLine(s.conns.Load(), last, now))
		last = now
	}
}

// total sums the loops' counters.
func total(loops []*ringo.Loop) (sum ringo.Stats) {
	for _, l := range loops {
		s := l.Stats()
		sum.Turns += s.Turns
		sum.Parks += s.Parks
		sum.Stalls += s.Stalls
		sum.Backoffs += s.Backoffs
		sum.Tasks += s.Tasks
		sum.Workers += s.Workers
		sum.Buffers += s.Buffers
		sum.Driver.Enters += s.Driver.Enters
		sum.Driver.Submitted += s.Driver.Submitted
		sum.Driver.Completions += s.Driver.Completions
		sum.Driver.NoBuffers += s.Driver.NoBuffers
		sum.Driver.Wakes += s.Driver.Wakes
	}
	return sum
}

// statsLine is what there is now, then what happened since the last line.
func statsLine(conns int64, last, now ringo.Stats) string {
	d, e := last.Driver, now.Driver
	return fmt.Sprintf("stats conns=%d tasks=%d workers=%d buffers=%d"+
		" turns=%d parks=%d enters=%d ops=%d completions=%d wakes=%d nobuffers=%d stalls=%d backoffs=%d",
		conns, now.Tasks, now.Workers, now.Buffers,
		now.Turns-last.Turns, now.Parks-last.Parks, e.Enters-d.Enters, e.Submitted-d.Submitted, e.Completions-d.Completions,
		e.Wakes-d.Wakes, e.NoBuffers-d.NoBuffers, now.Stalls-last.Stalls, now.Backoffs-last.Backoffs)
}
