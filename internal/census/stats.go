package census

import (
	"ringo/internal/bufs"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/stats"
)

// kindWords are the names of the kinds in stats.
var kindWords = [loop.Kinds]string{"conn", "listener", "packet", "pollable"}

// snapshot returns the counters now. It runs on the loop's thread.
func (r *Record) snapshot() stats.Loop {
	l := r.l
	c, z := l.Look().Counts(), l.Look().Sizes()
	pools := l.Buffers()
	ring, plain, large := pools.Ring, pools.Plain, pools.Large
	s := stats.Loop{
		Turns: c.Turns, Parks: c.Parks, Yields: c.Yields, Mails: c.Mails, Stalls: r.stalls, Backoffs: c.Backoffs,
		InTasks: c.InTasks, InKernel: c.InKernel, Spinning: c.Spinning, Delays: c.Delays,
		TurnTimes: r.turnTimes, Longest: r.turnTimes.Max(), Recent: r.recent.at(l.NowNS()),
		Tasks: z.Tasks, Workers: z.Workers, Slots: z.Slots, Timers: z.Timers,
		Buffers: ring.InUse() + plain.InUse() + large.InUse(),
		Leases:  ring.Leases() + plain.Leases() + large.Leases(),
		Pools:   []stats.Pool{poolStats("ring", ring), poolStats("plain", plain), poolStats("large", large)},
		Driver:  l.Look().DriverStats(), Lanes: l.Set().Lanes().Stats(),
		Classes: l.Look().Shares(),
	}
	for k := range loop.Kinds {
		if opened, open := l.Look().CountedHandles(k); opened > 0 {
			s.Handles = append(s.Handles, stats.HandleKind{Kind: kindWords[k], Open: int(open), Opened: opened})
		}
	}
	// A wake is counted when it is sent, mail when it is read: so the difference could go down between two snapshots.
	r.spared = max(r.spared, s.Mails-min(s.Mails, s.Driver.WakesSent))
	s.WakesSpared = r.spared
	for code := range op.Codes {
		if tried, submitted, times := l.Look().OpCounts(code); tried+submitted > 0 {
			o := stats.Op{Op: op.Table[code].Name, Tried: tried, Submitted: submitted}
			if times != nil {
				o.Times = *times
			}
			s.Ops = append(s.Ops, o)
		}
	}
	return s
}

func poolStats(name string, p *bufs.Pool) stats.Pool {
	return stats.Pool{Pool: name, Size: p.Size(), Max: p.Max(), Made: p.Made(), InUse: p.InUse(), Lent: p.Lent()}
}

// kept is a snapshot for callers that the loop does not answer.
type kept struct {
	stats.Loop
	turn int64 // TurnBegan of a turn that is over and counted, though its loop may still report it; 0: none
}

// keepStats keeps a snapshot. It runs within a turn, of which the snapshot counts nothing yet.
func (r *Record) keepStats() *stats.Loop { return r.keep(0) }

// keepTurn keeps a snapshot that counts the present turn already.
func (r *Record) keepTurn() { r.keep(r.l.Look().TurnBegan()) }

func (r *Record) keep(turn int64) *stats.Loop {
	k := &kept{r.snapshot(), turn}
	r.last.Store(k)
	return &k.Loop
}

// StatsOf returns the counters of a loop: for a task of the loop as they are, for other callers as they are when the
// loop next reads its mailbox, for which a task of another loop parks. No caller waits longer than askPatience for a
// loop that is held: it gets the last known counters, plus the turn that lasts, see whileHeld. After the loop's end
// they are those of its last turn. G.
func StatsOf(l *loop.Loop) stats.Loop {
	r := of(l)
	if r == nil {
		return stats.Loop{}
	}
	if l.IsCurrent() {
		return r.promised.apply(*r.keepStats(), l.NowNS()) // kept, so that other callers don't get older counters later
	}
	if !askAndDrop(l, func() bool { r.keepStats(); return true }, func() { r.keepStats() }) {
		return r.whileHeld()
	}
	return r.promised.apply(r.last.Load().Loop, l.Elapsed())
}
