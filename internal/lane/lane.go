// Package lane limits the calls that run on ordinary goroutines in place of tasks. Each kind of calls, a lane, has
// slots of its own, which all loops of a Run share: so long calls in Offload don't keep others from looking up a name
// or using a disk.
package lane

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo/internal/offload"
	"ringo/internal/rt/code"
	"ringo/stats"
)

// Lane is a kind of calls.
type Lane uint8

const (
	Offload  Lane = iota // calls of Loop.Offload
	Compute              // calls of Loop.Compute
	Names                // look-ups of names
	Files                // steps that a disk will end
	StandIns             // waits for peers, in place of tasks that can't wait there
	Handlers             // handlers of package sockhttp
	Lanes
)

// words describe a lane to readers of reports: its name, the calls that take its slots, one such call, and what sets
// its bound.
var words = [Lanes]struct{ name, calls, call, bound string }{
	Offload:  {"offload", "calls of Loop.Offload", "Loop.Offload", "Config.Offload"},
	Compute:  {"compute", "calls of Loop.Compute", "Loop.Compute", "GOMAXPROCS less the loops"},
	Names:    {"names", "look-ups of names", "a look-up", "fixed"},
	Files:    {"files", "calls of package file", "a file", "fixed"},
	StandIns: {"stand-ins", "waits of tasks for handles of other loops and packages", "a stand-in", "fixed"},
	Handlers: {"handlers", "handlers of package sockhttp", "a handler", "fixed"},
}

// The bounds that no Config sets. A look-up and a step on a disk may each hold a thread. Stand-ins and handlers hold a
// goroutine, and only their peers end them.
const (
	lookupsMax  = 128
	stepsMax    = 256
	standInsMax = 65536
	handlersMax = 65536
)

// Config is the part of a lane's set-up that a Run decides.
type Config struct {
	Offload, Compute int // how many of these calls may run at once
	// Tell, if not nil, is called at most once in Every about calls that have waited for long.
	Tell  func(what, text string)
	Every time.Duration
}

// Slots are the slots of a lane.
type Slots struct {
	cfg  Config
	sort Lane
	*offload.Pool

	mu    sync.Mutex
	timer *time.Timer // for the next look at waiting calls; nil: none waits
	said  time.Time   // when it was last reported that calls wait
	ended bool
}

// Set holds all lanes of a Run.
type Set [Lanes]Slots

// Open sets up the lanes.
func (s *Set) Open(cfg Config) {
	most := [Lanes]int{cfg.Offload, cfg.Compute, lookupsMax, stepsMax, standInsMax, handlersMax}
	for i := range s {
		n := &s[i]
		n.cfg, n.sort, n.Pool = cfg, Lane(i), offload.New(most[i])
		n.Pool.Full = n.full
	}
}

// Close waits until the goroutines of calls that have returned have ended, at most for the time within.
func (s *Set) Close(within time.Duration) {
	for i := range s {
		s[i].close(within)
	}
}

func (n *Slots) close(within time.Duration) {
	n.mu.Lock()
	n.ended = true
	if n.timer != nil {
		n.timer.Stop()
	}
	n.mu.Unlock()
	n.Pool.Close(within)
}

// Words describes one call of the lane to readers of reports.
func (n *Slots) Words() string { return words[n.sort].call }

// Lane returns the kind of the calls.
func (n *Slots) Lane() Lane { return n.sort }

// FullMax is how long a call may wait for a slot before that is reported.
const FullMax = time.Second

// full is called when a call has to wait for a slot.
func (n *Slots) full() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.timer == nil && !n.ended && n.cfg.Tell != nil && n.sort != Compute { // a full Compute lane is normal
		n.timer = time.AfterFunc(FullMax, n.look)
	}
}

// look reports calls that have waited for long, at most once in n.cfg.Every.
func (n *Slots) look() {
	n.mu.Lock()
	load := n.Pool.Load() // with the lock, so that a call that is not in it finds whether there is a next look
	tells := load.Oldest >= FullMax && (n.said.IsZero() || time.Since(n.said) >= n.cfg.Every)
	switch {
	case n.ended:
		tells = false
	case load.Waiting == 0:
		n.timer = nil
	default:
		n.timer = time.AfterFunc(FullMax, n.look)
	}
	if tells {
		n.said = time.Now()
	}
	n.mu.Unlock()
	if tells {
		n.cfg.Tell("calls wait for a slot", n.complaint(load))
	}
}

func (n *Slots) complaint(load offload.Load) string {
	w := words[n.sort]
	text := fmt.Sprintf("ringo: %d %s wait for a slot, the first for %v: all %d (%s) run:\n", load.Waiting, w.calls,
		load.Oldest.Round(10*time.Millisecond), load.Max, w.bound)
	for _, line := range n.holders() {
		text += "\t" + line + "\n"
	}
	return text + `A call that waits for long keeps its slot from others. What waits for a message belongs in a
goroutine of its own and a Chan, what waits for the drain in Loop.Draining or Loop.OnDrain.
`
}

// holders lists the calls that have the slots, the most frequent first.
func (n *Slots) holders() []string {
	runs := n.Pool.Runs()
	kinds := make([]uintptr, 0, len(runs))
	for what := range runs {
		kinds = append(kinds, what)
	}
	slices.SortFunc(kinds, func(a, b uintptr) int {
		if d := runs[b] - runs[a]; d != 0 {
			return d
		}
		return strings.Compare(code.Func(a).WithPlace(), code.Func(b).WithPlace())
	})
	var lines []string
	for i, what := range kinds {
		if i == holdersMax {
			lines = append(lines, fmt.Sprintf("and %d others", len(kinds)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%d × %s", runs[what], code.Func(what).WithPlace()))
	}
	return lines
}

const holdersMax = 5

// Stats returns the stats of the lanes. G.
func (s *Set) Stats() []stats.Lane {
	all := make([]stats.Lane, Lanes)
	for i := range s {
		l := s[i].Load()
		all[i] = stats.Lane{Name: words[i].name, Max: l.Max, Running: l.Running, Waiting: l.Waiting, Oldest: l.Oldest,
			Waited: l.Waited, Longest: l.Longest, Waits: s[i].WaitTimes()}
	}
	return all
}

// noSlot is the error of a call whose time was over before it got a slot.
type noSlot struct {
	lane    Lane
	max     int
	holders string
}

// Late returns a noSlot, if a call that has not begun ends for want of a slot; otherwise cause.
func (n *Slots) Late(cause error) error {
	load := n.Pool.Load()
	if cause != os.ErrDeadlineExceeded || load.Running < load.Max {
		return cause
	}
	e := &noSlot{lane: n.sort, max: load.Max}
	if holders := n.holders(); len(holders) > 0 {
		e.holders = holders[0]
	}
	return e
}

// Error names the lane that is full, and the calls that have its slots.
func (e *noSlot) Error() string {
	w := words[e.lane]
	text := fmt.Sprintf("ringo: no slot came free in time for one of the %s: all %d (%s) are taken", w.calls, e.max,
		w.bound)
	if e.holders != "" {
		text += ", " + e.holders
	}
	return text
}

// Is matches os.ErrDeadlineExceeded.
func (*noSlot) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Timeout returns true.
func (*noSlot) Timeout() bool { return true }

// Temporary returns true: another attempt may succeed.
func (*noSlot) Temporary() bool { return true }
