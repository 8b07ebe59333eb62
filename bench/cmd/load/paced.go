//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"ringo/bench/internal/sample"
	"ringo/internal/measure"
)

// gaps is how many random waits a pace has before it repeats them.
const gaps = 1 << 14

// pace is the schedule of messages, which does not depend on replies. Messages come as from many independent clients:
// at a given average rate, with random waits (a Poisson process), to the connections in turn.
type pace struct {
	begin time.Duration
	after [gaps + 1]time.Duration // when the k-th message of a round is due, since the round's begin
	conns uint64
	sent  uint64            // messages that have been due, on all connections
	late  measure.Histogram // how late messages were sent, which this thread adds to all latencies
}

func newPace(rate float64, conns int) *pace {
	p := &pace{conns: uint64(conns)}
	random := rand.New(rand.NewPCG(1, 2))
	sum := 0.0
	for k := range p.after[1:] {
		sum -= math.Log(1-random.Float64()) / rate
		p.after[k+1] = seconds(sum)
	}
	return p
}

// due returns when message k of all is due.
func (p *pace) due(k uint64) time.Duration {
	return p.begin + time.Duration(k/gaps)*p.after[gaps] + p.after[k%gaps]
}

// until returns how many messages are due by now.
func (p *pace) until(now time.Duration) uint64 {
	now -= p.begin
	rounds := now / p.after[gaps]
	now -= rounds * p.after[gaps]
	return uint64(rounds)*gaps + uint64(sort.Search(gaps, func(k int) bool { return p.after[k] > now }))
}

// dueOn returns when the request for reply j on connection i was due.
func (p *pace) dueOn(i int, j uint64) time.Duration { return p.due(j*p.conns + uint64(i)) }

// release lets the connections send the messages that are due by now.
func (e *engine) release(now time.Duration) {
	p := e.pace
	for due := p.until(now); p.sent < due; p.sent++ {
		p.late.Record(e.now() - p.due(p.sent))
		i := int(p.sent % p.conns)
		e.conns[i].limit += e.size
		e.step(i, 0)
	}
}

// paced sends by the schedule. Latencies count from when a message was due, so a server that falls behind delays all
// that follow. This thread never sleeps in the window, since it would be late itself.
func (e *engine) paced(c *config, s *sample.Sample) error {
	if err := e.openAll(0, c.conns, e.size); err != nil {
		return err
	}
	if err := e.drain(); err != nil {
		return err
	}
	e.draining = false
	p := newPace(c.rate, c.conns)
	for i := range e.conns {
		e.conns[i].replies = 0
	}
	p.begin = e.now()
	e.pace = p
	if err := e.measure(c, s); err != nil {
		return err
	}
	s.Rate, s.LateP99 = c.rate, micros(p.late.Quantile(0.99))
	e.pace = nil
	return e.drain()
}
