package loop

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

// Lane is where calls of one sort run on ordinary goroutines. Each has slots of its own, which all loops of a Run
// share: what a program does in Offload for long keeps nobody from a name or a disk.
type Lane uint8

const (
	LaneOffload  Lane = iota // what users give to Loop.Offload
	LaneCompute              // and to Loop.Compute
	LaneNames                // look-ups of names
	LaneFiles                // steps that a disk will end
	LaneStandIns             // waits for peers, in place of tasks that can't
	Lanes
)

// laneWords are what a lane is to those who read of it: its name, what takes its slots and what one of that is, and
// what its bound is by.
var laneWords = [Lanes]struct{ name, calls, call, bound string }{
	LaneOffload:  {"offload", "calls of Loop.Offload", "Loop.Offload", "Config.Offload"},
	LaneCompute:  {"compute", "calls of Loop.Compute", "Loop.Compute", "GOMAXPROCS less the loops"},
	LaneNames:    {"names", "look-ups of names", "a look-up", "fixed"},
	LaneFiles:    {"files", "calls of package file", "a file", "fixed"},
	LaneStandIns: {"stand-ins", "waits of tasks for handles of other loops and packages", "a stand-in", "fixed"},
}

// The bounds that no Config has. A look-up and a step on a disk may each hold a thread. Stand-ins hold a goroutine,
// and only their peers end them.
const (
	lookupsMax  = 128
	stepsMax    = 256
	standInsMax = 65536
)

// lane is one with its slots.
type lane struct {
	cfg  *Config
	sort Lane
	pool *offload.Pool

	mu    sync.Mutex
	timer *time.Timer // of the next look at those who wait; nil: nobody does
	said  time.Time   // when it was last told that they wait
	ended bool
}

func (s *Set) openLanes() {
	most := [Lanes]int{s.cfg.Offload, computeMax(s.cfg.Loops), lookupsMax, stepsMax, standInsMax}
	for i := range s.lanes {
		n := &s.lanes[i]
		n.cfg, n.sort, n.pool = s.cfg, Lane(i), offload.New(most[i])
		n.pool.Full = n.full
	}
}

// closeLanes waits for the goroutines of calls that have returned. After Run has
// given up nobody waits for the others.
func (s *Set) closeLanes() {
	within := time.Second
	select {
	case <-s.gaveUp:
		within = 0
	default:
	}
	for i := range s.lanes {
		s.lanes[i].close(within)
	}
}

func (n *lane) close(within time.Duration) {
	n.mu.Lock()
	n.ended = true
	if n.timer != nil {
		n.timer.Stop()
	}
	n.mu.Unlock()
	n.pool.Close(within)
}

// fullMax is how long a call may wait for a slot before that is told of.
const fullMax = time.Second

// full is told when the first call waits for a slot.
func (n *lane) full() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.timer == nil && !n.ended && n.cfg.Tells() && n.sort != LaneCompute { // which is to be full
		n.timer = time.AfterFunc(fullMax, n.look)
	}
}

// look tells of calls that have waited for long, once in ComplainEvery.
func (n *lane) look() {
	load := n.pool.Load()
	n.mu.Lock()
	tells := load.Oldest >= fullMax && (n.said.IsZero() || time.Since(n.said) >= ComplainEvery)
	switch {
	case n.ended:
		tells = false
	case load.Waiting == 0:
		n.timer = nil
	default:
		n.timer = time.AfterFunc(fullMax, n.look)
	}
	if tells {
		n.said = time.Now()
	}
	n.mu.Unlock()
	if tells {
		n.cfg.Tell("calls wait for a slot", n.complaint(load))
	}
}

func (n *lane) complaint(load offload.Load) string {
	words := laneWords[n.sort]
	text := fmt.Sprintf("ringo: %d %s wait for a slot, the first for %v: all %d (%s) run:\n", load.Waiting, words.calls,
		load.Oldest.Round(10*time.Millisecond), load.Max, words.bound)
	for _, line := range n.holders() {
		text += "\t" + line + "\n"
	}
	return text + `A call that waits for long keeps its slot from others. What waits for a message belongs in a
goroutine of its own and a Chan, what waits for the drain in Loop.Draining or Loop.OnDrain.
`
}

// holders is what has the slots, the most frequent first.
func (n *lane) holders() []string {
	runs := n.pool.Runs()
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

// LaneStats are those of its lanes. G.
func (s *Set) LaneStats() []stats.Lane {
	all := make([]stats.Lane, Lanes)
	for i := range s.lanes {
		l := s.lanes[i].pool.Load()
		all[i] = stats.Lane{Name: laneWords[i].name, Max: l.Max, Running: l.Running, Waiting: l.Waiting,
			Oldest: l.Oldest, Waited: l.Waited, Longest: l.Longest, Waits: s.lanes[i].pool.WaitTimes()}
	}
	return all
}

// noSlot is the error of a call whose time was over before it got a slot.
type noSlot struct {
	lane    Lane
	max     int
	holders string
}

// late is noSlot, if that is why a call that has not begun is to go.
func (n *lane) late(cause error) error {
	load := n.pool.Load()
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
	words := laneWords[e.lane]
	text := fmt.Sprintf("ringo: no slot came free in time for one of the %s: all %d (%s) are taken", words.calls, e.max,
		words.bound)
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
