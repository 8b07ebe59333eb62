package loop

import (
	"slices"
	"sync"
	"time"
)

// IOLimits bound what the tasks of a class ask of files.
type IOLimits struct {
	Depth    int    // reads, writes and syncs at once on a loop; 0: any number
	Rate     int64  // bytes a second, of all loops of a Run; 0: any number
	Priority uint16 // of reads and writes, as in ioprio_set(2); 0: the process's
}

// room reports whether another one may begin beside so many.
func (lim *IOLimits) room(running int) bool {
	return lim == nil || lim.Depth == 0 || running < lim.Depth
}

// SetIO changes the limits, from now on. G.
func (c *Class) SetIO(to IOLimits) {
	if to == (IOLimits{}) {
		c.io.Store(nil)
		return
	}
	c.io.Store(&to)
}

// shareIO is what the tasks of a class on a loop have asked of files.
type shareIO struct {
	running int      // under way, or waiting for the rate
	line    TaskList // those that wait for one of them to end, in order of arrival
	bytes   uint64   // read and written
	pace    *pace    // nil: there was no rate yet
}

// A pace is how many bytes a class may have asked for so far, in a Run. What is asked for waits until all before it is
// paid for, and not for itself.
type pace struct {
	mu     sync.Mutex
	taken  float64 // bytes asked for
	credit float64 // bytes paid for
	gaps   []gap   // beyond them, in order
	rate   int64   // since at, the time of the Run
	at     int64
}

// A gap is bytes that were asked for and given back while those before them were not paid for yet: what is behind it
// need not wait for them. Behind each there are bytes of a call that has not given up, so gaps are no more than calls.
type gap struct{ from, n float64 }

// What a pace is about.
const (
	paceSaved = float64(50*time.Millisecond) / float64(time.Second) // seconds that a class saves up
	paceLook  = 250 * time.Millisecond                              // between two looks at the limits
)

// pay pays for what the time since the last look allows.
func (p *pace) pay(now, rate int64) {
	p.credit += float64(max(0, now-p.at)) / 1e9 * float64(p.rate)
	p.pass()
	p.credit = min(p.credit, p.taken+paceSaved*float64(rate))
	p.at, p.rate = max(now, p.at), rate
}

// pass counts as paid for the gaps that the credit has come to.
func (p *pace) pass() {
	for len(p.gaps) > 0 && p.gaps[0].from <= p.credit {
		p.credit += p.gaps[0].n
		p.gaps = slices.Delete(p.gaps, 0, 1)
	}
}

// missing is how many bytes have to be paid for before those that have so many in front of them.
func (p *pace) missing(before float64) float64 {
	missing := before - p.credit
	for _, g := range p.gaps {
		if g.from < before {
			missing -= g.n
		}
	}
	return missing
}

// take asks for n bytes, and returns how many have to be paid for before.
func (p *pace) take(now, rate int64, n int) (before float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay(now, rate) // as long as they are none of those that it saves up for
	before = p.taken
	p.taken += float64(n)
	return before
}

// back gives bytes back that were asked for by a call that had so many before it. If these are paid for, so are the
// others at once. If not they are a gap: those that wait in front of them have nothing of it.
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
	if last := len(p.gaps) - 1; last >= 0 && p.gaps[last].end() == p.taken { // nobody is behind
		p.taken = p.gaps[last].from
		p.gaps = p.gaps[:last]
	}
}

// join makes one gap of one and that before it, if they touch.
func (p *pace) join(at int) {
	if at > 0 && at < len(p.gaps) && p.gaps[at-1].end() == p.gaps[at].from {
		p.gaps[at-1].n += p.gaps[at].n
		p.gaps = slices.Delete(p.gaps, at, at+1)
	}
}

func (g gap) end() float64 { return g.from + g.n }

// wait is for how long bytes have to wait that have so many before them.
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

// takeNow is take of what need not wait.
func (p *pace) takeNow(now, rate int64, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pay(now, rate)
	if p.taken > p.credit { // there is no gap if not
		return false
	}
	p.taken += float64(n)
	return true
}

// paceOf is the class's. G.
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

// An IOTurn is the right to ask files for something, which End gives back. The zero IOTurn is that of a task without
// limits, or of none.
type IOTurn struct {
	l        *Loop
	s        *share
	places   int
	bytes    int     // that its class's pace was asked for
	before   float64 // those that had to be paid for first
	Priority uint16
}

// Held reports whether there are limits that it is of.
func (t *IOTurn) Held() bool { return t.s != nil }

// LimitsIO reports whether the running task's class has limits. T.
func (l *Loop) LimitsIO() bool {
	x := l.cur.ext.Load()
	return x != nil && x.share != nil && x.share.Class.io.Load() != nil
}

// BeginIO waits until the running task may ask files for n bytes, by its class's limits. The error is what has ended
// the wait: no turn is held then. T, parks.
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

// await waits for the rate. Nobody does while the loop stops: what is shielded from that, such as the last blocks of a
// Writer, goes on at once.
func (t *IOTurn) await(n int) error {
	for {
		lim := t.s.io() // which may change
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

// pace is the class's.
func (t *IOTurn) pace() *pace {
	if t.s.files.pace == nil {
		t.s.files.pace = t.l.set.paceOf(t.s.Class)
	}
	return t.s.files.pace
}

// More has the turn be one for another n bytes beside what it is for, if that need not wait.
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

// End gives the turn back, in which so many bytes were moved: others need not be paid for.
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

// io is the class's limits; nil if there are none.
func (s *share) io() *IOLimits { return s.Class.io.Load() }

// ioLine is a share as what a task waits for in BeginIO.
type ioLine share

// CancelWait takes the task out of the line.
func (s *ioLine) CancelWait(t *Task) {
	s.files.line.Remove(t)
	t.l.Ready(t)
}

// DescribeWait tells whose turn is waited for.
func (s *ioLine) DescribeWait(_ *Task, d *Wait) { d.Op = "a turn at files of class " + s.Name }
