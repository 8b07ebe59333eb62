// Package lane is where calls run on ordinary goroutines in place of tasks. Each sort of them has slots of its own,
// which all loops of a Run share: what a program does in Offload for long keeps nobody from a name or a disk.
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

// Lane is a sort of calls.
type Lane uint8

const (
	Offload  Lane = iota // what users give to Loop.Offload
	Compute              // and to Loop.Compute
	Names                // look-ups of names
	Files                // steps that a disk will end
	StandIns             // waits for peers, in place of tasks that can't
	Handlers             // those of package sockhttp
	Lanes
)

// words are what a lane is to those who read of it: its name, what takes its slots and what one of that is, and
// what its bound is by.
var words = [Lanes]struct{ name, calls, call, bound string }{
	Offload:  {"offload", "calls of Loop.Offload", "Loop.Offload", "Config.Offload"},
	Compute:  {"compute", "calls of Loop.Compute", "Loop.Compute", "GOMAXPROCS less the loops"},
	Names:    {"names", "look-ups of names", "a look-up", "fixed"},
	Files:    {"files", "calls of package file", "a file", "fixed"},
	StandIns: {"stand-ins", "waits of tasks for handles of other loops and packages", "a stand-in", "fixed"},
	Handlers: {"handlers", "handlers of package sockhttp", "a handler", "fixed"},
}

// The bounds that no Config has. A look-up and a step on a disk may each hold a thread. Stand-ins and handlers hold a
// goroutine, and only their peers end them.
const (
	lookupsMax  = 128
	stepsMax    = 256
	standInsMax = 65536
	handlersMax = 65536
)

// Config is what a Run decides.
type Config struct {
	Offload, Compute int // how many of those calls may run at once
	// Tell is told of calls that have waited for long, which it is once in Every; nil: nobody is.
	Tell  func(what, text string)
	Every time.Duration
}

// Slots are those of a lane.
type Slots struct {
	cfg  Config
	sort Lane
	*offload.Pool

	mu    sync.Mutex
	timer *time.Timer // of the next look at those who wait; nil: nobody does
	said  time.Time   // when it was last told that they wait
	ended bool
}

// Set is all lanes of a Run.
type Set [Lanes]Slots

// Open makes them.
func (s *Set) Open(cfg Config) {
	most := [Lanes]int{cfg.Offload, cfg.Compute, lookupsMax, stepsMax, standInsMax, handlersMax}
	for i := range s {
		n := &s[i]
		n.cfg, n.sort, n.Pool = cfg, Lane(i), offload.New(most[i])
		n.Pool.Full = n.full
	}
}

// Close waits for the goroutines of calls that have returned, for so long at most.
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

// Words are what a call is to those who read of it.
func (n *Slots) Words() string { return words[n.sort].call }

// Lane is the sort of its calls.
func (n *Slots) Lane() Lane { return n.sort }

// FullMax is how long a call may wait for a slot before that is told of.
const FullMax = time.Second

// full is told when the first call waits for a slot.
func (n *Slots) full() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.timer == nil && !n.ended && n.cfg.Tell != nil && n.sort != Compute { // which is to be full
		n.timer = time.AfterFunc(FullMax, n.look)
	}
}

// look tells of calls that have waited for long, once in n.cfg.Every.
func (n *Slots) look() {
	load := n.Pool.Load()
	n.mu.Lock()
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

// holders is what has the slots, the most frequent first.
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

// Stats are those of the lanes. G.
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

// Late is noSlot, if that is why a call that has not begun is to go.
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

// Error names what is short, and who has it.
func (e *noSlot) Error() string {
	w := words[e.lane]
	text := fmt.Sprintf("ringo: no slot came free in time for one of the %s: all %d (%s) are taken", w.calls, e.max,
		w.bound)
	if e.holders != "" {
		text += ", " + e.holders
	}
	return text
}

// Is finds os.ErrDeadlineExceeded in it.
func (*noSlot) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Timeout says that it is one.
func (*noSlot) Timeout() bool { return true }

// Temporary says that another attempt may succeed.
func (*noSlot) Temporary() bool { return true }
