package loop

import (
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/hist"
	"ringo/internal/op"
)

// Stats count what a loop did.
type Stats struct {
	Turns       uint64        // rounds of the loop
	Parks       uint64        // times a task gave the thread away
	Yields      uint64        // those of tasks whose calls never had to wait
	Mails       uint64        // messages from outside: posts, wakes of tasks, cancels
	WakesSpared uint64        // those that found the loop awake, so that nobody had to wake it
	Stalls      uint64        // turns longer than Config.StallLimit
	Backoffs    uint64        // times Accept waited for a shortage to pass
	InTasks     time.Duration // time in turns: tasks, and the loop's own work between them
	InKernel    time.Duration // time between them: asleep, and in the driver's calls
	Spinning    time.Duration // time of looking for work before a sleep, see Config.Spin
	Longest     time.Duration // the longest turn
	Recent      time.Duration // the longest of the last 30 to 60 s
	Held        time.Duration // how long the present turn has lasted, of a loop that did not answer; 0: it did
	TurnTimes   hist.Histogram
	Tasks       int            // tasks that have not finished
	Workers     int            // coroutines, running, parked and idle
	Slots       int            // ops in use
	Buffers     int            // buffers held by connections and leases
	Leases      int            // those of them that users hold
	Timers      int            // entries of the heap
	Delays      hist.Histogram // from ready to running, of one in 1 << delayBits
	Pools       []PoolStats    // of buffers
	Handles     []HandleStats  // by kind, of those that there were
	Ops         []OpStats      // by kind of operation, those that there were
	Lanes       []LaneStats    // of the Run
	Driver      driver.Stats
}

// OpStats count the operations of one kind.
type OpStats struct {
	Op        string         // "recv"
	Tried     uint64         // plain calls, of tasks
	Submitted uint64         // handed to the driver, to wait
	Times     hist.Histogram // from there to the end, of those that are not multishot
}

// PoolStats is how much there is of the buffers of one pool.
type PoolStats struct {
	Pool  string // "ring", "plain" or "large"
	Size  int    // bytes of a buffer
	Max   int    // buffers that there may be
	Made  int    // that have memory
	InUse int    // held by connections and leases
	Lent  int    // in the kernel's hands
}

func (l *Loop) snapshot() Stats {
	s := l.stats
	s.TurnTimes, s.Longest, s.Recent = l.turnTimes, l.turnTimes.Max(), l.recent.at(l.now)
	s.Tasks = l.live
	s.Workers = len(l.workers)
	s.Slots = l.slab.Used()
	s.Buffers = l.ring.InUse() + l.plain.InUse() + l.large.InUse()
	s.Leases = l.ring.Leases() + l.plain.Leases() + l.large.Leases()
	s.Timers = l.timers.Len()
	s.Pools = []PoolStats{poolStats("ring", l.ring), poolStats("plain", l.plain), poolStats("large", l.large)}
	s.Handles = l.kinds.stats()
	s.Driver = l.drv.Info().Stats
	s.Lanes = l.set.laneStats()
	// A wake is counted when it is sent, and mail when it is read.
	l.stats.WakesSpared = max(s.WakesSpared, s.Mails-min(s.Mails, s.Driver.WakesSent))
	s.WakesSpared = l.stats.WakesSpared
	for code := range op.Codes {
		if tried, submitted := l.ops.tried[code], l.ops.submitted[code]; tried+submitted > 0 {
			o := OpStats{Op: op.Table[code].Name, Tried: tried, Submitted: submitted}
			if h := l.ops.times[code]; h != nil {
				o.Times = *h
			}
			s.Ops = append(s.Ops, o)
		}
	}
	return s
}

func poolStats(name string, p *bufs.Pool) PoolStats {
	return PoolStats{Pool: name, Size: p.Size(), Max: p.Max(), Made: p.Made(), InUse: p.InUse(), Lent: p.Lent()}
}

// opCounts are operations by kind.
type opCounts struct {
	tried, submitted [op.Codes]uint64
	times            [op.Codes]*hist.Histogram // made for the first of a kind
}

// Time has an op timed that is about to be submitted: for one that somebody waits for, and not for one that is
// armed and stands, because how long that did says nothing. It is not part of Submit, which is to be inlined
// (TestParkedStacks of sock).
func (l *Loop) Time(o *op.Op) { l.slab.Begin(o, l.now) }

// countEnd takes the time of an op that has ended, by the clock of turns.
func (l *Loop) countEnd(o *op.Op) {
	began := l.slab.Began(o)
	if began == 0 {
		return
	}
	h := l.ops.times[o.Code]
	if h == nil {
		h = new(hist.Histogram)
		l.ops.times[o.Code] = h
	}
	h.Add(l.now - began)
}

// keepStats leaves a snapshot for those who can't get one of their own.
func (l *Loop) keepStats() *Stats {
	s := l.snapshot()
	l.lastStats.Store(&s)
	return &s
}

// Stats gives the counters: to a task of the loop as they are, to others as they
// are when the loop next looks at its mailbox, for which a task of another loop
// parks. Nobody waits longer than askPatience, but gets them as they were last
// given, or known, with the turn that lasts: see whileHeld. After the loop's end
// they are those of its last turn. G.
func (l *Loop) Stats() Stats {
	if l.unmade() {
		return Stats{}
	}
	if l.IsCurrent() {
		return l.promised.apply(*l.keepStats(), l.now) // kept, so that others don't see older ones later
	}
	if !l.askAndDrop(func() bool { l.keepStats(); return true }, func() { l.keepStats() }) {
		return l.whileHeld()
	}
	return l.promised.apply(*l.lastStats.Load(), l.set.elapsed())
}

// Info describes the loop's driver. G.
func (l *Loop) Info() driver.Info {
	if l.unmade() {
		return driver.Info{}
	}
	return l.info
}
