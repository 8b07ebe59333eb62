package loop

import (
	"slices"
	"sync"
	"time"
)

// IOLimits bound the file operations of the tasks of a class.
type IOLimits struct {
	Depth    int    // reads, writes and syncs at once on one loop; 0: no bound
	Rate     int64  // bytes a second, of all loops of a Run; 0: no bound
	Priority uint16 // of reads and writes, as in ioprio_set(2); 0: the process's
}

// room reports whether another operation may begin while running are under way.
func (lim *IOLimits) room(running int) bool {
	return lim == nil || lim.Depth == 0 || running < lim.Depth
}

// SetIO changes the limits from now on. G.
func (c *Class) SetIO(to IOLimits) {
	if to == (IOLimits{}) {
		c.io.Store(nil)
		return
	}
	c.io.Store(&to)
}

// shareIO is the file operations of a class's tasks on one loop.
type shareIO struct {
	running int      // under way, or waiting for the rate
	line    TaskList // tasks that wait until an operation ends, in order of arrival
	bytes   uint64   // read and written
	pace    *pace    // nil until there was a rate
}

// A pace counts how many bytes a class may have asked for so far in a Run. A request waits until all bytes before it
// are paid for. It does not wait for its own.
type pace struct {
	mu     sync.Mutex
	taken  float64 // bytes asked for
	credit float64 // bytes paid for
	gaps   []gap   // ranges beyond credit that were given back, in order
	rate   int64   // since at, in time of the Run
	at     int64
}

// A gap is a range of bytes that was asked for and then given back while bytes before it were not paid for yet.
// Requests behind it need not wait for these bytes. Behind each gap there are bytes of a request that has not given
// up, so there are no more gaps than requests.
type gap struct{ from, n float64 }

// Constants of a pace.
const (
	paceSaved = float64(50*time.Millisecond) / float64(time.Second) // seconds an idle class saves up
	paceLook  = 250 * time.Millisecond                              // from one look at the limits to the next
)

// pay adds the credit for the time since the last call.
func (p *pace) pay(now, rate int64) {
	p.credit += float64(max(0, now-p.at)) / 1e9 * float64(p.rate)
	p.pass()
	p.credit = min(p.credit, p.taken+paceSaved*float64(rate))
	p.at, p.rate = max(now, p.at), rate
}

// pass adds the gaps that the credit has come to, as if they were paid for.
func (p *pace) pass() {
	for len(p.gaps) > 0 && p.gaps[0].from <= p.credit {
		p.credit += p.gaps[0].n
		p.gaps = slices.Delete(p.gaps, 0, 1)
	}
}

// missing returns how many bytes still have to be paid for ahead of a request with before bytes in front of it.
func (p *pace) missing(before float64) float64 {
	missing := before - p.credit
	for _, g := range p.gaps {
		if g.from < before {
			missing -= g.n
		}
	}
	return missing
}

// take asks for n bytes, and returns how many bytes have to be paid for first.
func (p *pace) take(now, rate int64, n int) (before float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay(now, rate) // before taken grows, by which pay bounds the credit
	before = p.taken
	p.taken += float64(n)
	return before
}

// back gives back n bytes of a request that had before bytes in front of it. If those are paid for, the n bytes count
// as paid at once. If not they become a gap: requests in front of it gain nothing from them.
func (p *pace) back(before float64, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := len(p.gaps)
	for at > 0 && p.gaps[at-1].from > before {
		at--
	}
	p.gaps = slices.Insert(p.gaps, at, gap{before, float64(n)})
	p.join(at + 1)
	p.join(at)
	p.pass()
	if last := len(p.gaps) - 1; last >= 0 && p.gaps[last].end() == p.taken { // no request is behind it
		p.taken = p.gaps[last].from
		p.gaps = p.gaps[:last]
	}
}

// join merges the gap at an index with the one before it, if they touch.
func (p *pace) join(at int) {
	if at > 0 && at < len(p.gaps) && p.gaps[at-1].end() == p.gaps[at].from {
		p.gaps[at-1].n += p.gaps[at].n
		p.gaps = slices.Delete(p.gaps, at, at+1)
	}
}

func (g gap) end() float64 { return g.from + g.n }

// wait returns how long a request has to wait that has before bytes in front of it: at most paceLook at a time.
func (p *pace) wait(now, rate int64, before float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay(now, rate)
	missing := p.missing(before)
	if missing <= 0 {
		return 0
	}
	return 1 + time.Duration(min(missing/float64(rate)*1e9, float64(paceLook)))
}

// takeNow is take for a request that must not wait; false if it would have to.
func (p *pace) takeNow(now, rate int64, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay(now, rate)
	if p.taken > p.credit { // if not, no gap is left either
		return false
	}
	p.taken += float64(n)
	return true
}

// paceOf returns the class's pace. G.
func (s *Set) paceOf(c *Class) *pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.paces[c]
	if p == nil {
		if s.paces == nil {
			s.paces = map[*Class]*pace{}
		}
		p = new(pace)
		s.paces[c] = p
	}
	return p
}

// An IOTurn is the right of a task to use files within its class's limits. End gives it back. The zero IOTurn is for
// tasks without limits, and for callers that are no task.
type IOTurn struct {
	l        *Loop
	s        *share
	places   int
	bytes    int     // that it asked the class's pace for
	before   float64 // bytes that had to be paid for first
	Priority uint16
}

// Held reports whether the turn counts against limits.
func (t *IOTurn) Held() bool { return t.s != nil }

// LimitsIO reports whether the running task's class has limits. T.
func (l *Loop) LimitsIO() bool {
	x := l.cur.ext.Load()
	return x != nil && x.share != nil && x.share.Class.io.Load() != nil
}

// BeginIO waits until the limits of the running task's class let it read or write n bytes. If it fails, with the
// reason why the wait has ended, the task has no turn. T, parks.
func (l *Loop) BeginIO(n int) (IOTurn, error) {
	if !l.LimitsIO() {
		return IOTurn{}, nil
	}
	x := l.cur.ext.Load()
	s := x.share
	if lim := s.io(); !s.files.line.Empty() || !lim.room(s.files.running) {
		if l.Canceled() {
			return IOTurn{}, l.Cause()
		}
		x.admitted = false
		s.files.line.Push(l.cur)
		l.Park((*ioLine)(s))
		if !x.admitted {
			return IOTurn{}, l.Cause()
		}
	} else {
		s.files.running++
	}
	t := IOTurn{l: l, s: s, places: 1}
	if err := t.await(n); err != nil {
		t.End(0)
		return IOTurn{}, err
	}
	return t, nil
}

// await waits until the rate allows n bytes. A shielded task does not wait while the loop stops: its work, such as the
// last blocks of a Writer, goes on at once.
func (t *IOTurn) await(n int) error {
	for {
		lim := t.s.io() // may change during the wait
		if lim == nil {
			return nil
		}
		t.Priority = lim.Priority
		if lim.Rate == 0 || n == 0 {
			return nil
		}
		t.l.tick()
		if t.bytes == 0 {
			t.before, t.bytes = t.pace().take(t.l.clock.now, lim.Rate, n), n
		}
		wait := t.pace().wait(t.l.clock.now, lim.Rate, t.before)
		if wait == 0 || t.l.life.stopping && !t.l.Canceled() {
			return nil
		}
		if t.l.Sleep(wait) != 0 {
			return t.l.Cause()
		}
	}
}

// pace returns the class's pace.
func (t *IOTurn) pace() *pace {
	if t.s.files.pace == nil {
		t.s.files.pace = t.l.set.paceOf(t.s.Class)
	}
	return t.s.files.pace
}

// More adds another operation of n bytes to the turn, if the limits allow that without a wait.
func (t *IOTurn) More(n int) bool {
	if t.s == nil {
		return false
	}
	f, lim := &t.s.files, t.s.io()
	if !f.line.Empty() || !lim.room(f.running) {
		return false
	}
	if lim != nil && lim.Rate > 0 {
		if t.l.tick(); !t.pace().takeNow(t.l.clock.now, lim.Rate, n) {
			return false
		}
		t.bytes += n
	}
	f.running++
	t.places++
	return true
}

// End gives the turn back. moved is how many bytes were read or written; the rest of what was asked for need not be
// paid for.
func (t *IOTurn) End(moved int) {
	s := t.s
	if s == nil {
		return
	}
	moved = max(moved, 0)
	if t.bytes > moved {
		s.files.pace.back(t.before, t.bytes-moved)
	}
	s.files.bytes += uint64(moved)
	s.files.running -= t.places
	t.s = nil
	for lim := s.io(); !s.files.line.Empty() && lim.room(s.files.running); {
		next := s.files.line.Pop()
		s.files.running++
		next.ext.Load().admitted = true
		t.l.Ready(next)
	}
}

// io returns the class's limits; nil if there are none.
func (s *share) io() *IOLimits { return s.Class.io.Load() }

// ioLine is a share as the Waiter of tasks in BeginIO.
type ioLine share

// CancelWait takes the task out of the line, and resumes it.
func (s *ioLine) CancelWait(t *Task) {
	s.files.line.Remove(t)
	t.l.Ready(t)
}

// DescribeWait names the class.
func (s *ioLine) DescribeWait(_ *Task, d *Wait) { d.Op = "a turn at files of class " + s.Name }
