package census

import (
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/hist"
	"ringo/internal/loop"
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
	Tasks       int              // tasks that have not finished
	Workers     int              // coroutines, running, parked and idle
	Slots       int              // ops in use
	Buffers     int              // buffers held by connections and leases
	Leases      int              // those of them that users hold
	Timers      int              // entries of the heap
	Delays      hist.Histogram   // from ready to running, of one in 1 << delayBits
	Pools       []PoolStats      // of buffers
	Handles     []HandleStats    // by kind, of those that there were
	Ops         []OpStats        // by kind of operation, those that there were
	Lanes       []loop.LaneStats // of the Run
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

// HandleStats count the handles of one kind.
type HandleStats struct {
	Kind   string
	Open   int
	Opened uint64
}

// kindWords are the kinds' names for people.
var kindWords = [loop.Kinds]string{"conn", "listener", "packet", "pollable"}

// snapshot is for the loop's thread.
func (r *Record) snapshot() Stats {
	l := r.l
	c, z := l.Counts(), l.Sizes()
	ring, plain, large := l.Pools()
	s := Stats{
		Turns: c.Turns, Parks: c.Parks, Yields: c.Yields, Mails: c.Mails, Stalls: r.stalls, Backoffs: c.Backoffs,
		InTasks: c.InTasks, InKernel: c.InKernel, Spinning: c.Spinning, Delays: c.Delays,
		TurnTimes: r.turnTimes, Longest: r.turnTimes.Max(), Recent: r.recent.at(l.NowNS()),
		Tasks: z.Tasks, Workers: z.Workers, Slots: z.Slots, Timers: z.Timers,
		Buffers: ring.InUse() + plain.InUse() + large.InUse(),
		Leases:  ring.Leases() + plain.Leases() + large.Leases(),
		Pools:   []PoolStats{poolStats("ring", ring), poolStats("plain", plain), poolStats("large", large)},
		Driver:  l.DriverStats(), Lanes: l.Set().LaneStats(),
	}
	for k := range loop.Kinds {
		if opened, open := l.CountedHandles(k); opened > 0 {
			s.Handles = append(s.Handles, HandleStats{kindWords[k], int(open), opened})
		}
	}
	// A wake is counted when it is sent, and mail when it is read.
	r.spared = max(r.spared, s.Mails-min(s.Mails, s.Driver.WakesSent))
	s.WakesSpared = r.spared
	for code := range op.Codes {
		if tried, submitted, times := l.OpCounts(code); tried+submitted > 0 {
			o := OpStats{Op: op.Table[code].Name, Tried: tried, Submitted: submitted}
			if times != nil {
				o.Times = *times
			}
			s.Ops = append(s.Ops, o)
		}
	}
	return s
}

func poolStats(name string, p *bufs.Pool) PoolStats {
	return PoolStats{Pool: name, Size: p.Size(), Max: p.Max(), Made: p.Made(), InUse: p.InUse(), Lent: p.Lent()}
}

// keepStats leaves a snapshot for those who can't get one of their own.
func (r *Record) keepStats() *Stats {
	s := r.snapshot()
	r.last.Store(&s)
	return &s
}

// StatsOf gives the counters of a loop: to a task of the loop as they are, to others as they
// are when the loop next looks at its mailbox, for which a task of another loop
// parks. Nobody waits longer than askPatience, but gets them as they were last
// given, or known, with the turn that lasts: see whileHeld. After the loop's end
// they are those of its last turn. G.
func StatsOf(l *loop.Loop) Stats {
	r := of(l)
	if r == nil {
		return Stats{}
	}
	if l.IsCurrent() {
		return r.promised.apply(*r.keepStats(), l.NowNS()) // kept, so that others don't see older ones later
	}
	if !askAndDrop(l, func() bool { r.keepStats(); return true }, func() { r.keepStats() }) {
		return r.whileHeld()
	}
	return r.promised.apply(*r.last.Load(), l.Elapsed())
}
