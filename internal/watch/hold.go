package watch

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
	"ringo/stats"
)

// The states of a Hold.
const (
	holdRunning  = "running"
	holdBlocked  = "blocked"
	holdSyscall  = "system call"
	holdRunnable = "runnable"
	holdShared   = "shared"
	holdUnseen   = "not seen"
)

// place identifies a Hold: where a task was, and its state.
type place struct {
	stacks.Place
	state string
}

// placesMax bounds the places of a loop. Further ones are counted together, as othersHold.
const placesMax = 100

const othersHold = "others"

// holds counts the holds of a loop by place: all of them, and those that were not reported yet.
type holds struct {
	mu     sync.Mutex
	all    map[place]stats.Hold
	unsaid map[place]stats.Hold
	places places // used by the watcher only
}

// add counts holds at a place.
func (h *holds) add(p place, times uint64, total, longest time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all, h.unsaid = map[place]stats.Hold{}, map[place]stats.Hold{}
	}
	if _, ok := h.all[p]; !ok && len(h.all) >= placesMax {
		p = place{Place: stacks.Place{Task: othersHold}}
	}
	for _, m := range []map[place]stats.Hold{h.all, h.unsaid} {
		o := m[p]
		o.Task, o.At, o.In, o.State = p.Task, p.At, p.In, p.state
		o.Times += times
		o.Total += total
		o.Longest = max(o.Longest, longest)
		m[p] = o
	}
}

// list returns all holds, the one with the longest total first. G.
func (h *holds) list() []stats.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sortHolds(maps.Values(h.all))
}

// takeUnsaid returns the holds that were not reported, and forgets them, if at least one at a known place has a total
// of worth or more: a report of unknown places alone would help no one. With worth 0 an unknown place suffices.
func (h *holds) takeUnsaid(worth time.Duration) []stats.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	tells := false
	for p, o := range h.unsaid {
		tells = tells || p.byTask() && o.Total >= worth && (p.At != "" || worth == 0)
	}
	if !tells {
		return nil
	}
	list := sortHolds(maps.Values(h.unsaid))
	clear(h.unsaid)
	return list
}

// byTask reports whether a task is to blame for the hold.
func (p *place) byTask() bool {
	return p.state != holdRunnable && p.state != holdUnseen && p.state != holdShared
}

func sortHolds(seq func(func(stats.Hold) bool)) []stats.Hold {
	return slices.SortedFunc(seq, func(a, b stats.Hold) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Task, b.Task), cmp.Compare(a.At, b.At),
			cmp.Compare(a.In, b.In), cmp.Compare(a.State, b.State))
	})
}

// Holds returns what has held a loop so far, by place, the one with the longest total first. G.
func Holds(l *loop.Loop) []stats.Hold {
	if o := targetOf(l); o != nil {
		return o.held.list()
	}
	return nil
}

// holder is what the watcher has seen in one long turn of a loop. Its memory is reused for the next: programs count
// their allocations, which should not include those of the watcher.
type holder struct {
	turn  int64
	seen  int64         // the time of the last look, or the turn's begin
	cpu   int64         // the thread's processor clock at cpuAt; 0 if unknown
	cpuAt int64         // the time of the last look, even if before the turn
	lost  time.Duration // time in which a computing task had no processor
	parts []part
	pcs   []uintptr // memory for the parts' stacks
	by    []taken

	restCPU, restAt int64 // cpu and cpuAt of the watcher's last look, whatever it found
}

// taken is how long one task was at a place.
type taken struct {
	place place
	took  time.Duration
}

// part is a stretch of a turn in which the watcher has found the same at each look.
type part struct {
	nth    uint64 // the number of the item that the loop ran; 0 if unknown
	state  string // empty if unknown
	sleeps bool   // the state is unknown, but the thread slept, so the machine did not keep it from running
	stack  stacks.Stack
	took   time.Duration
	looks  int
}

// partsMax bounds the parts of a turn. Later ones count as the last.
const partsMax = 64

// begin starts the record of a turn, at the first look at it.
func (h *holder) begin(turn int64) {
	clear(h.parts)
	h.turn, h.seen, h.cpu, h.lost, h.parts, h.pcs = turn, turn, h.restCPU, 0, h.parts[:0], h.pcs[:0]
	h.cpuAt = h.restAt
}

// note adds what was found at a look, with the thread's processor clock. The time since the last look counts for it,
// within bounds that depend on pause, which is how long the watcher meant to sleep. If the look comes much later, the
// watcher had no processor, and the loop may have had none: then only one pause counts. note copies the addresses of p.
func (h *holder) note(p part, now, cpu int64, pause time.Duration) {
	p.took, p.looks = time.Duration(now-h.seen), 1
	switch n := len(h.parts); {
	case p.took > lateAfter*pause:
		p.took = pause
	case n == 0:
		p.took = min(p.took, 2*pause)
	case h.parts[n-1].nth != p.nth: // other items may have had most of the time
		p.took = min(p.took, pause)
	}
	p.took = h.ran(&p, p.took, cpu)
	h.seen, h.cpu, h.cpuAt = now, cpu, now
	h.restCPU, h.restAt = cpu, now
	if n := len(h.parts); n > 0 {
		last := &h.parts[n-1]
		if n == partsMax || last.nth == p.nth && last.state == p.state && last.sleeps == p.sleeps &&
			last.stack.Equal(&p.stack) {
			last.took += p.took
			last.looks++
			return
		}
	}
	from := len(h.pcs)
	h.pcs = append(h.pcs, p.stack.PCs...)
	p.stack.PCs = h.pcs[from:len(h.pcs):len(h.pcs)]
	h.parts = append(h.parts, p)
}

// computes reports whether the thread has run for half of the time since the last look; rests that it has run for
// less. For a turn that began after the last look both may be false, because the clock before it includes other work.
func (h *holder) computes(cpu, now int64) (computes, rests bool) {
	if cpu == 0 || h.cpu == 0 {
		return false, false
	}
	ran, half := cpu-h.cpu, (now-h.seen)/2
	return ran-max(0, h.seen-h.cpuAt) >= half, ran < half
}

// ran returns how much of the time took since the last look counts for a part: if it computes, only the time for which
// it had a processor, since a task does not hold its loop while the machine runs other threads.
func (h *holder) ran(p *part, took time.Duration, cpu int64) time.Duration {
	if p.state != holdRunning && p.state != "" || p.sleeps || h.cpu == 0 || cpu == 0 {
		return took
	}
	ran := min(took, time.Duration(cpu-h.cpu))
	h.lost += took - ran
	return min(ran, max(0, time.Duration(cpu-h.cpu-max(0, h.seen-h.cpuAt)))) // the rest may be from before the turn
}

// lateAfter is how many pauses may pass between two looks before the watcher counts as late.
const lateAfter = 4

// charge charges the time of a turn, once it has ended, to tasks and places. cpu is the thread's processor clock now.
func (h *holder) charge(to *holds, took, limit, pause time.Duration, cpu int64) {
	if n := len(h.parts); n > 0 {
		rest := h.turn + int64(took) - h.seen
		if rest > 0 && rest <= int64(lateAfter*pause) {
			h.parts[n-1].took += h.ran(&h.parts[n-1], min(time.Duration(rest), pause), cpu)
		}
	}
	var shared time.Duration
	known, runnable := h.lost, h.lost
	for len(h.parts) > 0 {
		// All parts of one item, at whatever places.
		nth := h.parts[0].nth
		h.by = h.by[:0]
		var dark part
		var sum time.Duration
		looks := 0
		h.parts = slices.DeleteFunc(h.parts, func(p part) bool {
			if p.nth != nth {
				return false
			}
			known += p.took
			looks += p.looks
			if p.state == holdRunnable {
				runnable += p.took
				return true
			}
			sum += p.took
			if p.state != "" && p.stack.Known() && !p.stack.Stale {
				h.add(to.places.of(&p), p.took)
				return true
			}
			dark.took += p.took // it was most likely where it was seen at other looks
			if p.stack.Known() {
				dark.stack = p.stack
			}
			if p.state != "" {
				dark.state = p.state
			}
			return true
		})
		switch {
		case sum < limit || looks < 2: // other items of the turn may have had most of it
			shared += sum
			continue
		case len(h.by) == 0 && dark.state == "": // it may not have run at all
			known -= sum
			continue
		case len(h.by) == 0:
			h.add(to.places.of(&dark), dark.took)
		}
		most := slices.MaxFunc(h.by, func(a, b taken) int { return cmp.Compare(a.took, b.took) })
		to.add(most.place, 1, sum, sum)
	}
	if runnable >= limit {
		to.add(place{state: holdRunnable}, 1, runnable, runnable)
	}
	if shared >= limit {
		to.add(place{state: holdShared}, 1, shared, shared)
	}
	if unseen := took - known; unseen >= limit {
		to.add(place{state: holdUnseen}, 1, unseen, unseen)
	}
}

// add counts the time that one task took at a place.
func (h *holder) add(at place, took time.Duration) {
	for i := range h.by {
		if h.by[i].place == at {
			h.by[i].took += took
			return
		}
	}
	h.by = append(h.by, taken{at, took})
}

// places caches the places of stacks by their addresses: finding a place allocates.
type places struct {
	seed  maphash.Seed
	known map[uint64]place
}

// knownMax bounds the cached stacks. At the bound the cache is emptied.
const knownMax = 512

// of returns the place of a part.
func (m *places) of(p *part) place {
	if len(p.stack.Functions) > 0 {
		return p.place()
	}
	if m.known == nil {
		m.seed, m.known = maphash.MakeSeed(), map[uint64]place{}
	}
	var h maphash.Hash
	h.SetSeed(m.seed)
	maphash.WriteComparable(&h, p.stack.Stale)
	h.WriteString(p.state)
	for _, pc := range p.stack.PCs {
		maphash.WriteComparable(&h, pc)
	}
	key := h.Sum64()
	at, ok := m.known[key]
	if !ok {
		if len(m.known) >= knownMax {
			clear(m.known)
		}
		at = p.place()
		m.known[key] = at
	}
	return at
}

func (p *part) place() place {
	return place{p.stack.Place(), p.state}
}
