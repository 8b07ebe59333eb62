package census

import (
	"ringo/internal/bufs"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/stats"
)

// kindWords are the kinds' names for people.
var kindWords = [loop.Kinds]string{"conn", "listener", "packet", "pollable"}

// snapshot is for the loop's thread.
func (r *Record) snapshot() stats.Loop {
	l := r.l
	c, z := l.Look().Counts(), l.Look().Sizes()
	ring, plain, large := l.Ring(), l.Plain(), l.Large()
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
	// A wake is counted when it is sent, and mail when it is read.
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

// kept is a snapshot for those who can't get one of their own.
type kept struct {
	stats.Loop
	turn int64 // TurnBegan of the one that was over then and is counted, though its loop may still say that it lasts
}

// keepStats leaves one. In a turn, of which it has nothing yet.
func (r *Record) keepStats() *stats.Loop { return r.keep(0) }

// keepTurn is keepStats for when the turn has been counted.
func (r *Record) keepTurn() { r.keep(r.l.Look().TurnBegan()) }

func (r *Record) keep(turn int64) *stats.Loop {
	k := &kept{r.snapshot(), turn}
	r.last.Store(k)
	return &k.Loop
}

// StatsOf gives the counters of a loop: to a task of the loop as they are, to others as they
// are when the loop next looks at its mailbox, for which a task of another loop
// parks. Nobody waits for a loop that is held longer than askPatience, but gets them as
// they were last given, or known, with the turn that lasts: see whileHeld. After the loop's end
// they are those of its last turn. G.
func StatsOf(l *loop.Loop) stats.Loop {
	r := of(l)
	if r == nil {
		return stats.Loop{}
	}
	if l.IsCurrent() {
		return r.promised.apply(*r.keepStats(), l.NowNS()) // kept, so that others don't see older ones later
	}
	if !askAndDrop(l, func() bool { r.keepStats(); return true }, func() { r.keepStats() }) {
		return r.whileHeld()
	}
	return r.promised.apply(r.last.Load().Loop, l.Elapsed())
}
