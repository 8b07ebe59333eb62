package loop

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/timer"
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
	Tasks       int           // tasks that have not finished
	Workers     int           // coroutines, running, parked and idle
	Slots       int           // ops in use
	Buffers     int           // buffers held by connections and leases
	Ops         []OpStats     // by kind of operation, those that there were
	Lanes       []LaneStats   // of the Run
	Driver      driver.Stats
}

// OpStats count the operations of one kind.
type OpStats struct {
	Op        string // "recv"
	Tried     uint64 // plain calls, of tasks
	Submitted uint64 // handed to the driver, to wait
}

func (l *Loop) snapshot() Stats {
	s := l.stats
	s.Tasks = l.live
	s.Workers = len(l.workers)
	s.Slots = l.slab.Used()
	s.Buffers = l.ring.InUse() + l.plain.InUse()
	s.Driver = l.drv.Info().Stats
	s.Lanes = l.set.laneStats()
	// A wake is counted when it is sent, and mail when it is read.
	l.stats.WakesSpared = max(s.WakesSpared, s.Mails-min(s.Mails, s.Driver.WakesSent))
	s.WakesSpared = l.stats.WakesSpared
	for code := range op.Codes {
		if tried, submitted := l.ops.tried[code], l.ops.submitted[code]; tried+submitted > 0 {
			s.Ops = append(s.Ops, OpStats{op.Table[code].Name, tried, submitted})
		}
	}
	return s
}

// opCounts are operations by kind.
type opCounts struct{ tried, submitted [op.Codes]uint64 }

// keepStats leaves a snapshot for those who can't get one of their own.
func (l *Loop) keepStats() *Stats {
	s := l.snapshot()
	l.lastStats.Store(&s)
	return &s
}

// Stats gives the counters: to a task of the loop as they are, to others as they
// are when the loop next looks at its mailbox, for which a task of another loop
// parks. Nobody waits longer than statsPatience, but gets them as they were last
// given. After the loop's end they are those of its last turn. G.
func (l *Loop) Stats() Stats {
	if l.unmade() {
		return Stats{}
	}
	if l.IsCurrent() {
		return l.snapshot()
	}
	if me, t := Current(); me != nil {
		return l.statsFor(me, t)
	}
	var p Parker
	p.Begin(nil, nil)
	tell := func() {
		if p.Claim(0) {
			p.Wake()
		}
	}
	if l.Call(func() { l.keepStats(); tell() }) {
		late := time.AfterFunc(statsPatience, tell)
		p.Park()
		late.Stop()
	}
	if s := l.lastStats.Load(); s != nil {
		return *s
	}
	return Stats{}
}

// statsPatience is how long others wait for a loop that is held.
const statsPatience = 100 * time.Millisecond

// statsFor asks on behalf of a task of another loop, which parks meanwhile.
func (l *Loop) statsFor(asker *Loop, t *Task) Stats {
	w := &statsWait{asker: asker, task: t, waits: true}
	w.timer.Owner = w
	answer := func() {
		l.keepStats()
		asker.Call(w.end)
	}
	if l.Call(answer) {
		asker.Arm(&w.timer, asker.After(statsPatience))
		asker.Park(w)
	}
	if s := l.lastStats.Load(); s != nil {
		return *s
	}
	return Stats{}
}

// statsWait is a task in statsFor. All but asking is its own loop's business.
type statsWait struct {
	asker *Loop
	task  *Task
	timer timer.Timer
	waits bool
}

// end lets the task go, once: at the answer, at the end of its patience, or because
// it was cancelled.
func (w *statsWait) end() {
	if !w.waits {
		return
	}
	w.waits = false
	w.asker.RemoveTimer(&w.timer)
	w.asker.Ready(w.task)
}

// Fire ends the patience.
func (w *statsWait) Fire(*timer.Timer) { w.end() }

// CancelWait lets a cancelled task go.
func (w *statsWait) CancelWait(*Task) { w.end() }

// Info describes the loop's driver. G.
func (l *Loop) Info() driver.Info {
	if l.unmade() {
		return driver.Info{}
	}
	return l.info
}
