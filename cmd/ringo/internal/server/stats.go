package server

import (
	"fmt"
	"ringo/stats"
	"strings"
	"time"

	"ringo"
)

// A counter is one word of a line of -stats.
type counter struct {
	name, what string
	of         func(s *stats.Loop) uint64
}

// present are values at the moment, past counts since the line before.
var (
	present = []counter{
		{"tasks", "tasks that have not finished: a listener's, a request's, or a connection's",
			func(s *stats.Loop) uint64 {
				return uint64(s.Tasks)
			}},
		{"workers", "coroutines: running, parked and idle", func(s *stats.Loop) uint64 { return uint64(s.Workers) }},
		{"buffers", "receive buffers held by connections", func(s *stats.Loop) uint64 { return uint64(s.Buffers) }},
	}
	past = []counter{
		{"turns", "rounds of the loops", func(s *stats.Loop) uint64 { return s.Turns }},
		{"busyms", "milliseconds in turns", func(s *stats.Loop) uint64 { return uint64(s.InTasks.Milliseconds()) }},
		{"spinms", "milliseconds of looking for work before a sleep", func(s *stats.Loop) uint64 {
			return uint64(s.Spinning.Milliseconds())
		}},
		{"parks", "times that a task waited and gave its thread away", func(s *stats.Loop) uint64 { return s.Parks }},
		{"yields", "times that a task yielded that had no need to wait", func(s *stats.Loop) uint64 {
			return s.Yields
		}},
		{"enters", "waits and flushes that entered the kernel", func(s *stats.Loop) uint64 { return s.Driver.Enters }},
		{"ops", "operations handed to the kernel or the poller", func(s *stats.Loop) uint64 {
			return s.Driver.Submitted
		}},
		{"completions", "results of such operations; a multishot one has many", func(s *stats.Loop) uint64 {
			return s.Driver.Completions
		}},
		{"fallbacks", "operations that took another way than their first", func(s *stats.Loop) uint64 {
			return s.Driver.Fallbacks
		}},
		{"overflows", "times that the completion queue had overflowed", func(s *stats.Loop) uint64 {
			return s.Driver.Overflows
		}},
		{"wakes", "times that a sleeping loop was woken from outside", func(s *stats.Loop) uint64 {
			return s.Driver.Wakes
		}},
		{"spared", "messages that found their loop awake", func(s *stats.Loop) uint64 { return s.WakesSpared }},
		{"nobuffers", "receives that found no free buffer", func(s *stats.Loop) uint64 { return s.Driver.NoBuffers }},
		{"stalls", "turns longer than 100 ms: something held a loop", func(s *stats.Loop) uint64 { return s.Stalls }},
		{"backoffs", "pauses of accept for want of descriptors or memory", func(s *stats.Loop) uint64 {
			return s.Backoffs
		}},
	}
)

// StatsHelp returns the help on the words of a line of -stats.
func StatsHelp() string {
	var b strings.Builder
	list := func(name, what string) { fmt.Fprintf(&b, "  %-13s%s\n", name, what) }
	b.WriteString("A line of -stats, summed over the loops, tells what there is now:\n\n")
	list("conns", "connections")
	for _, c := range present {
		list(c.name, c.what)
	}
	b.WriteString("\nand what happened since the line before:\n\n")
	for _, c := range past {
		list(c.name, c.what)
	}
	return b.String()
}

// printStats prints a line per period until the server ends. It runs on a goroutine, not in a task: asking another loop
// for its counters blocks.
func (s *Server) printStats(loops []*ringo.Loop) {
	tick := time.NewTicker(s.Options.Stats)
	defer tick.Stop()
	_, last := total(loops)
	for {
		select {
		case <-s.Quit:
			return
		case <-tick.C:
		}
		here, now := total(loops)
		var line strings.Builder
		conns := s.Conns.Load()
		if s.Open != nil {
			conns += int64(s.Open())
		}
		fmt.Fprintf(&line, "stats conns=%d", conns)
		if s.Words != nil {
			line.WriteString(s.Words())
		}
		for i, n := range here {
			fmt.Fprintf(&line, " %s=%d", present[i].name, n)
		}
		for i, n := range now {
			fmt.Fprintf(&line, " %s=%d", past[i].name, n-last[i])
		}
		fmt.Fprintln(s.Stderr, line.String())
		last = now
	}
}

// total returns the sums of the loops' counters, for present and for past.
func total(loops []*ringo.Loop) (here, ever []uint64) {
	here, ever = make([]uint64, len(present)), make([]uint64, len(past))
	for _, l := range loops {
		s := l.Stats()
		for i, c := range present {
			here[i] += c.of(&s)
		}
		for i, c := range past {
			ever[i] += c.of(&s)
		}
	}
	return here, ever
}
