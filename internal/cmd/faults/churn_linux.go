//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// churn is a run with -churn: servers that are restarted once a round, under clients that come and go.
type churn struct {
	out    io.Writer
	round  time.Duration
	rounds int
	rest   time.Duration // after it nothing may be left of clients that have gone
	brief  bool          // stop after the first round that finds something
	of     []*manner

	restarts, conns, requests atomic.Int64
	refused, idled            atomic.Int64 // clients that -peer-conns refused, and that -idle ended
	failed, leaked, excused   atomic.Int64
	stood                     stalls
	mu                        sync.Mutex // guards out
}

func newChurn(out io.Writer, round time.Duration, rounds int) *churn {
	return &churn{out: out, round: round, rounds: max(rounds, 1), rest: patience, of: manners}
}

// runChurn plays all rounds, prints the result, and reports whether nothing failed or leaked.
func runChurn(o *options, w *churn) (ok bool) {
	over := make(chan struct{})
	go w.stood.watch(over)
	_, err := (&testCase{"churn", w.run}).try(o)
	close(over)
	if n := w.excused.Load(); err == nil && n > 1+w.conns.Load()/excusedOf {
		err = fmt.Errorf("%d are excused since clients stood still: more than one in %d", n, excusedOf)
	}
	if err != nil {
		w.fails("the run", err)
	}
	fmt.Fprintf(w.out, "%d were refused by a limit, and %d ended for their silence\n", w.refused.Load(), w.idled.Load())
	fmt.Fprintf(w.out, "churn: %d rounds played, %v\n", w.rounds, w)
	return w.failed.Load()+w.leaked.Load() == 0
}

// String returns the counts.
func (w *churn) String() string {
	return fmt.Sprintf("%d failed, %d excused, %d leaked, %d restarts, %d connections, %d requests", w.failed.Load(),
		w.excused.Load(), w.leaked.Load(), w.restarts.Load(), w.conns.Load(), w.requests.Load())
}

// failuresTold bounds the lines about requests that have failed. All are counted.
const failuresTold = 100

// fails counts a failure, and prints it.
func (w *churn) fails(who string, err error) {
	if w.failed.Add(1) <= failuresTold {
		w.tell("FAILED %s: %v", who, err)
	}
}

// cuts is fails for a client, whose error may be excused: if the machine has no time for a client, that is silent for
// too long, which is 5 s for the first request to a server that was replaced, and -idle otherwise. It is excused if it
// was cut and clients stood still for stoodLeast meanwhile.
func (w *churn) cuts(who string, began time.Time, err error) {
	who += fmt.Sprintf(", in %v", time.Since(began).Round(time.Millisecond))
	if recent := time.Now().Add(-stoodLately); began.Before(recent) {
		began = recent
	}
	if n := w.stood.since(began); isCut(told(err)) && n >= stoodLeast {
		w.excused.Add(1)
		w.tell("excused, since clients stood still for %v: %s: %v", n.Round(time.Millisecond), who, err)
		return
	}
	w.fails(who, err)
}

const (
	stoodLeast  = 2 * time.Second // of standing still excuses a cut
	stoodLately = 20 * time.Second
	excusedOf   = 1000 // at most one connection of so many may be excused
)

// leaks counts a leak, and prints it.
func (w *churn) leaks(who string, err error) {
	w.leaked.Add(1)
	w.tell("LEAKED %s: %v", who, err)
}

func (w *churn) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// run starts all servers, plays the rounds, and ends the servers.
func (w *churn) run(t *trial) error {
	chains, err := newChains(t, w.of)
	defer func() {
		for _, c := range chains {
			c.kill()
		}
	}()
	if err != nil {
		return err
	}
	for _, c := range chains {
		if err := c.begin(t, w); err != nil {
			return fmt.Errorf("%s: %w, after:\n%s", c.name, err, indent(c.first.said.String()))
		}
	}
	for n := range w.rounds {
		began := time.Now()
		if err := w.play(chains); err != nil {
			return err
		}
		w.tell("round %d: %v; MiB %s", n+1, w, memories(chains))
		if w.brief && w.failed.Load()+w.leaked.Load() > 0 {
			return nil
		}
		time.Sleep(time.Until(began.Add(w.round)))
	}
	if w.refused.Load() == 0 || w.idled.Load() == 0 {
		return fmt.Errorf("no client has met -peer-conns, or none -idle: no load for limits")
	}
	for _, c := range chains {
		if err := c.end(w); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// play plays a round: clients come for two thirds of it, while the servers are restarted one after the other; then it
// checks what is left.
func (w *churn) play(chains []*chain) error {
	quit := make(chan struct{})
	var clients sync.WaitGroup
	for _, c := range chains {
		c.visit(w, &clients, quit)
	}
	leave := time.After(w.round * 2 / 3)
	var broken error
	for _, c := range chains {
		time.Sleep(w.round / time.Duration(3*len(chains)))
		if c.stays || broken != nil {
			continue
		}
		if err := c.restart(w); err != nil {
			broken = fmt.Errorf("%s: restart %d: %w, after:\n%s", c.name, len(c.all), err,
				indent(c.first.said.String()))
		}
	}
	<-leave
	close(quit)
	clients.Wait()
	var looks sync.WaitGroup
	for _, c := range chains {
		looks.Go(func() { c.lookAtRest(w) })
	}
	looks.Wait()
	return broken
}

// A server's memory may be memoryFactor times the median of its first memoryRounds rounds, in which caches and pools
// fill.
const (
	memoryRounds = 5
	memoryFactor = 1.5
)

// grown returns an error if the last size is more than that.
func grown(sizes []int) error {
	if len(sizes) <= memoryRounds {
		return nil
	}
	first := slices.Sorted(slices.Values(sizes[:memoryRounds]))
	bound := int(memoryFactor * float64(first[memoryRounds/2]))
	if last := sizes[len(sizes)-1]; last > bound {
		return fmt.Errorf("it has %d KiB of memory, more than %.1f times the median of its first %d rounds, %d KiB",
			last, memoryFactor, memoryRounds, first[memoryRounds/2])
	}
	return nil
}
