package sim

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// FaultKind is a kind of random fault. Its String describes it.
type FaultKind uint8

// The kinds of faults, and the fields that set their frequency.
const (
	FaultLoss      FaultKind = iota // of a packet: Link.Loss
	FaultDuplicate                  // of a datagram: Link.Duplicate
	FaultReorder                    // a datagram is overtaken: Link.Reorder
	FaultRead                       // a read of a file fails: Disk.FailRead
	FaultWrite                      // a write to a file fails: Disk.FailWrite
	FaultSync                       // an fsync fails: Disk.FailSync
	FaultShort                      // a read or write of a file does a part of it: Disk.Short
	FaultNames                      // a name is not found: Names.Fail
	FaultWrongName                  // a name is another host's: Names.Wrong
	FaultKill                       // the host crashes within a turn: Storm.MidTurn
	FaultCrash                      // the host crashes: Storm.Crash
	FaultPartition                  // the host is cut off: Storm.Partition
	FaultPause                      // the host is paused: Storm.Pause
	FaultClock                      // the host's wall clock is stepped: Storm.Clock
	FaultReset                      // all connections of the host are reset: Storm.Reset
	FaultSplit                      // a segment is split in two: Link.Split
	FaultShortSend                  // a send takes a part of the bytes: Calls.ShortSend
	FaultDecay                      // a sector of a file can't be read any more: Disk.Decay
	FaultShortage                   // a call that makes a descriptor has no memory: Calls.Shortage
)

var faultNames = [...]string{FaultLoss: "a packet is lost", FaultDuplicate: "a datagram arrives twice",
	FaultReorder: "a datagram is overtaken", FaultRead: "a read fails", FaultWrite: "a write fails",
	FaultSync: "an fsync fails", FaultShort: "a read or write is short", FaultNames: "a look-up fails",
	FaultWrongName: "a look-up returns another host", FaultKill: "the host crashes during a turn",
	FaultCrash: "the host crashes", FaultPartition: "the host is cut off", FaultPause: "the host is paused",
	FaultClock: "the clock is stepped", FaultReset: "all connections are reset",
	FaultSplit: "a segment is split in two", FaultShortSend: "a send is short",
	FaultDecay: "a sector has become unreadable", FaultShortage: "no memory for a descriptor"}

// String describes the fault.
func (k FaultKind) String() string { return faultNames[k] }

// FaultID identifies a fault of a world: whether it occurs does not depend on the others.
type FaultID struct {
	Kind FaultKind
	Host int // from 1
	N    uint64
}

// A Fault is a fault that has occurred.
type Fault struct {
	FaultID
	At time.Duration // since the world began
}

// faultSite is a place where faults of one kind may occur.
type faultSite struct {
	kind FaultKind
	host int
}

// faults decides which faults occur.
type faults struct {
	w      *World
	counts map[faultSite]uint64
	only   map[FaultID]bool // the only faults that may occur; nil: all may
	came   []Fault
}

// cameMax bounds the faults that are recorded.
const cameMax = 1 << 16

// happens decides whether a fault occurs. The decision depends on the seed and on how often the same question was
// asked before, not on other decisions.
func (f *faults) happens(kind FaultKind, h *Host, p float64) bool {
	id, comes := f.draw(kind, h, p)
	if comes {
		f.come(id)
	}
	return comes
}

// draw is happens for a fault that is recorded later.
func (f *faults) draw(kind FaultKind, h *Host, p float64) (id FaultID, comes bool) {
	if p <= 0 {
		return id, false
	}
	site := faultSite{kind, h.index}
	n := f.counts[site]
	f.counts[site] = n + 1
	id = FaultID{kind, h.index, n}
	return id, !(p < 1 && float64(f.roll(id)>>11)/(1<<53) >= p) && !f.spares(id)
}

// spares reports whether a fault must not occur.
func (f *faults) spares(id FaultID) bool { return f.only != nil && !f.only[id] }

// come records a fault.
func (f *faults) come(id FaultID) {
	if len(f.came) < cameMax {
		f.came = append(f.came, Fault{id, f.w.Elapsed()})
	}
	f.w.note(Event{Kind: FaultCame, Host: id.Host, N: int64(id.Kind)})
}

// roll returns the random number of a fault.
func (f *faults) roll(id FaultID) uint64 {
	return mix(mix(f.w.seed^uint64(id.Kind)<<56^uint64(id.Host)<<32) ^ id.N)
}

// mix is a hash that turns each number into one that looks random.
func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	hi, lo = bits.Mul64(hi^lo^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return hi ^ lo
}

// Storm configures random faults of hosts: each recurs at the given mean interval; 0 means never.
type Storm struct {
	Hosts     []*Host       // nil: all that exist when it begins
	Crash     time.Duration // mean time between crashes of a host, which restarts after Down
	Down      time.Duration // its mean duration; 0: a second
	MidTurn   float64       // fraction of calls during which the host crashes; of several storms the largest
	Partition time.Duration // between partitions of a host from all others, for Cut
	Cut       time.Duration // 0: a second
	Pause     time.Duration // between pauses of a host, for Still
	Still     time.Duration // 0: a second
	Reset     time.Duration // between resets of all connections of a host with others
	Clock     time.Duration // between steps of a host's wall clock, by up to Step
	Step      time.Duration // 0: a minute
}

// Storm begins a storm, which ends after d.
func (w *World) Storm(d time.Duration, s Storm) {
	defer w.stage.Enter()()
	w.wantOwn("World.Storm", s.Hosts...)
	wantRight("World.Storm", s.check())
	hosts := s.Hosts
	if hosts == nil {
		hosts = w.hosts
	}
	end := w.w.Later(d)
	or := func(d, def time.Duration) time.Duration {
		if d == 0 {
			return def
		}
		return d
	}
	for _, h := range hosts {
		m := &midTurn{s.MidTurn, or(s.Down, time.Second)}
		h.midTurns = append(h.midTurns, m)
		w.after(d, func() { h.midTurns = slices.DeleteFunc(h.midTurns, func(o *midTurn) bool { return o == m }) })
		w.again(FaultCrash, h, s.Crash, end, func(r uint64) {
			if !h.Down() {
				h.crashFor(upTo(twice(or(s.Down, time.Second)), r))
			}
		})
		w.again(FaultPartition, h, s.Partition, end, func(r uint64) {
			p := &partition{of: h}
			p.each(func(from, to *Host) { w.cut(from, to, p) })
			w.after(upTo(twice(or(s.Cut, time.Second)), r), func() {
				p.each(func(from, to *Host) { w.mend(from, to, p) })
			})
		})
		w.again(FaultReset, h, s.Reset, end, func(uint64) {
			for _, o := range w.hosts {
				if o != h {
					w.Reset(h, o)
				}
			}
		})
		w.again(FaultPause, h, s.Pause, end, func(r uint64) { h.Pause(upTo(twice(or(s.Still, time.Second)), r)) })
		w.again(FaultClock, h, s.Clock, end, func(r uint64) {
			step := or(s.Step, time.Minute)
			h.StepClock(upTo(twice(step), r) - step)
		})
	}
}

// each calls fn for the ways between the host that is cut off and all others.
func (p *partition) each(fn func(from, to *Host)) {
	for _, o := range p.of.w.hosts {
		if o != p.of {
			fn(p.of, o)
			fn(o, p.of)
		}
	}
}

// upTo returns a random duration up to d.
func upTo(d time.Duration, r uint64) time.Duration { return time.Duration(mix(r) % (uint64(d) + 1)) }

// twice returns 2*d, or the greatest duration on overflow.
func twice(d time.Duration) time.Duration { return sum(d, d) }

// again makes faults befall a host at intervals of the given mean. A fault that is spared does not occur, and later
// ones come when they would have come anyway.
func (w *World) again(kind FaultKind, h *Host, mean time.Duration, end int64, fn func(r uint64)) {
	if mean <= 0 {
		return
	}
	f := &w.faults
	site := faultSite{kind, h.index}
	var next func()
	next = func() {
		id := FaultID{kind, h.index, f.counts[site]}
		f.counts[site]++
		r := f.roll(id)
		at := w.w.Later(upTo(twice(mean), r))
		if at >= end {
			return
		}
		w.w.At(at, func() {
			if !f.spares(id) {
				f.come(id)
				fn(r)
			}
			next()
		})
	}
	next()
}

// Faults returns the faults that have occurred so far.
func (w *World) Faults() []Fault { return w.faults.came }

// describe describes a fault of the world.
func (w *World) describe(f Fault) string {
	return fmt.Sprintf("%12v  %s: %v", f.At, w.hosts[f.Host-1].name, f.Kind)
}
