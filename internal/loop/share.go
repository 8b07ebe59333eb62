package loop

import (
	"cmp"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/stats"
)

// Class is tasks that have a share of each loop's time together. G.
type Class struct {
	Name   string
	weight atomic.Int64
	io     atomic.Pointer[IOLimits] // nil: none
}

// What a weight may be, and that of the tasks that are in no class, together.
const (
	WeightMin  = 1
	WeightMax  = 10000
	WeightMain = 100 // also of a class that was given none
)

// SetWeight changes the class's part. G.
func (c *Class) SetWeight(w int) { c.weight.Store(int64(w)) }

// Weight is the class's part. G.
func (c *Class) Weight() int { return cmp.Or(int(c.weight.Load()), WeightMain) }

// shares are a loop's time between classes: of those that have something ready, the one runs that has had the least by
// its weight. A turn is one class's, so that what tasks in none have written is not held back by what others compute.
type shares struct {
	l       *Loop
	main    share    // of tasks in no class, whose queue is the loop's
	classes []*share // those that have tasks, or had some of late
	waiting int      // tasks of theirs that are ready
	low     int64    // the least used of late: who was idle begins a little before, and has not saved up more
	idle    bool     // main was
	alone   bool     // it has had a turn in which nobody else had anything ready
	runs    *share   // whose turn it is; nil: nobody else's than main's
	last    *share   // whose it was
	tail    uint32   // then: of the loop's queue, when it began
	read    int64    // up to when the time is charged; 0: none was
	items   int64    // run, which is the time of a world
}

// share is what a class has on a loop.
type share struct {
	*Class
	tasks int      // that are in it
	ready TaskList // tasks that were parked, or have not begun
	used  int64    // nanoseconds, by weight
	total int64    // nanoseconds
	files shareIO
}

// class is nil for main's.
func (c *share) class() *Class {
	if c == nil {
		return nil
	}
	return c.Class
}

// classBlock is a WithClass that a task is in.
type classBlock struct {
	class *Class
	outer *classBlock // the next one that was begun earlier
}

// WithClass calls fn, in which the running task is of a class, nil for none. It waits for its turn first. T, parks.
func (l *Loop) WithClass(c *Class, fn func() error) error {
	x := l.cur.extension()
	b := &classBlock{c, x.block}
	x.block = b
	defer b.end(l, x)
	if x.settle(l) && x.share != nil {
		l.shares.push(x.share, l.cur)
		l.Park((*yielding)(l))
	}
	return fn()
}

// end ends the block. It need not be the last that was begun, nor the caller the task that has begun it, nor need that
// run still: see limit.end.
func (b *classBlock) end(l *Loop, x *taskExt) {
	for p := &x.block; *p != nil; p = &(*p).outer {
		if *p == b {
			*p = b.outer
			break
		}
	}
	x.settle(l)
}

// settle has the task be of the class that it is in, and reports whether it was of another one.
func (x *taskExt) settle(l *Loop) (changed bool) {
	c := x.class
	if x.block != nil {
		c = x.block.class
	}
	if c == x.share.class() {
		return false
	}
	if x.share != nil {
		x.share.tasks--
		x.share = nil
	}
	if c != nil {
		x.share = shareOf(l, c)
		x.share.tasks++
	}
	return true
}

// shareOf is the class's share of the loop.
func shareOf(l *Loop, c *Class) *share {
	s := l.shares
	if s == nil {
		s = &shares{l: l, main: share{Class: new(Class)}}
		l.shares = s
	}
	for _, o := range s.classes {
		if o.Class == c {
			return o
		}
	}
	s.classes = append(slices.DeleteFunc(s.classes, s.over), &share{Class: c})
	return s.classes[len(s.classes)-1]
}

// over reports whether nothing is lost with a share: no task is of the class, and none of those that were of it still
// has its turn to come; and a new one would have had as much. So a class does not begin anew with each of its tasks.
func (s *shares) over(c *share) bool {
	return c.tasks == 0 && c.ready.Empty() && c.files.running == 0 && c.used <= s.low-int64(head)
}

// ready is how many tasks of classes are.
func (s *shares) ready() int {
	if s == nil {
		return 0
	}
	return s.waiting
}

// unbegun are the tasks of classes that have not begun.
func (s *shares) unbegun() iter.Seq[*Task] {
	return func(yield func(*Task) bool) {
		if s == nil {
			return
		}
		for _, c := range s.classes {
			for t := range c.ready.all() {
				if t.w == nil && !yield(t) {
					return
				}
			}
		}
	}
}

// takes has a task that is ready wait for its class's turn, if it has one.
func (s *shares) takes(t *Task) bool {
	x := t.ext.Load()
	if x == nil || x.share == nil {
		return false
	}
	s.push(x.share, t)
	return true
}

func (s *shares) push(c *share, t *Task) {
	if c.ready.Empty() {
		if s.wakes(c); s.runs != c {
			s.l.stint.until = 1
		}
	}
	c.ready.Push(t)
	s.waiting++
}

// wakes has a class that has had nothing to do compete again, before those that have had something all the time.
func (s *shares) wakes(c *share) { c.used = max(c.used, s.low-int64(head)) }

// head is by how much a class is ahead that has used less than its part of late, by the weight of main: so its tasks
// run as soon as they are ready.
const head = time.Millisecond

// run runs what has the turn. If no class has anything ready, all time is main's, and read when one has.
func (s *shares) run() {
	if s.waiting == 0 {
		s.alone, s.last = true, &s.main
		s.runMain()
		return
	}
	began := s.now()
	if s.read != 0 {
		s.last.charge(began - s.read) // for what the driver has done since, and main while it was alone
	}
	if s.alone {
		s.endAlone()
	}
	c, before := s.next()
	s.low = max(s.low, c.used)
	s.l.stint.begin(before)
	s.runs, s.tail = c, s.l.ready.tail
	if c == &s.main {
		s.runMain()
	} else {
		s.l.runsTask()
		s.l.charged.items = s.l.cfg.Budget // nothing else begins
		for more := true; more; {
			more = s.runUntilExit(c)
		}
	}
	s.runs, s.last, s.read = nil, c, s.now()
	c.charge(s.read - began)
}

// runMain runs what is in no class.
func (s *shares) runMain() {
	for s.l.runs() {
		s.l.runUntilExit()
	}
	s.items += int64(s.l.charged.items)
}

// endAlone is said when a class has something ready after turns in which none had: what main has had meanwhile is
// behind all, and a class that had more than its part before has paid for it.
func (s *shares) endAlone() {
	s.alone, s.low = false, max(s.low, s.main.used)
	for _, c := range s.classes {
		s.wakes(c)
	}
}

// disturbed reports whether a task in no class has come to be ready in the turn of those in one.
func (s *shares) disturbed() bool {
	return s != nil && s.runs != nil && s.runs != &s.main && s.tail != s.l.ready.tail
}

// next is whose turn it is, in doubt main's, and how long it may be, in nanoseconds: until another one's has come, 0 if
// there is none.
func (s *shares) next() (c *share, span int64) {
	if s.l.ready.len() > 0 {
		if c = &s.main; s.idle {
			s.wakes(c)
		}
	}
	s.idle = c == nil
	var other *share
	for _, o := range s.classes {
		switch {
		case o.ready.Empty():
		case c == nil || o.used < c.used:
			c, other = o, c
		case other == nil || o.used < other.used:
			other = o
		}
	}
	if other != nil {
		span = max(1, (other.used-c.used)*int64(c.Weight())/WeightMain)
	}
	return c, span
}

// runUntilExit runs tasks of a class until there are none or the others are to have a turn, or until a worker is lost
// to runtime.Goexit.
func (s *shares) runUntilExit(c *share) (more bool) {
	defer exits()
	for more = true; more; {
		t := c.ready.Pop()
		s.waiting--
		s.items++
		more = !c.ready.Empty()
		w := t.w
		if w == nil {
			s.l.tasks.first, w = t, s.l.workers.take(s.l)
		}
		s.l.cur, s.l.charged.task = t, 0
		s.l.switchTo(w)
		more = !c.ready.Empty() && !s.l.life.killed && s.l.charged.turn < s.l.callsMax() && !s.l.out.due() &&
			!s.l.NeedYield()
	}
	return false
}

// now is the thread's CPU time. The tasks of a world take none: there each has had the same whenever it has run.
func (s *shares) now() int64 {
	if !s.l.set.world.Beside() {
		return 1 + s.items*int64(time.Microsecond)
	}
	if ns, ok := kernel.ThreadCPU(s.l.thread.id); ok {
		return ns
	}
	return s.l.set.elapsed()
}

func (c *share) charge(ns int64) {
	c.total += ns
	c.used += max(1, ns*WeightMain/int64(c.Weight()))
}

// Shares are the classes that have tasks on the loop.
func (l *Look) Shares() (all []stats.Class) {
	if l.shares == nil {
		return nil
	}
	for _, c := range l.shares.classes {
		if c.tasks == 0 {
			continue
		}
		waiting := 0
		for range c.files.line.all() {
			waiting++
		}
		all = append(all, stats.Class{Name: c.Name, Weight: c.Weight(), Tasks: c.tasks, CPU: time.Duration(c.total),
			IO: c.files.running, IOWaiting: waiting, IOBytes: c.files.bytes})
	}
	return all
}

// stint is how long what runs has had the thread, as NeedYield asks.
type stint struct {
	notices driver.Noticing // nil: the driver is none
	left    int             // calls before the clock is looked at
	calls   int             // of which there are so many
	looked  int64           // when it was, by Elapsed
	until   int64           // when the stint is over; 0: it was not asked yet
	span    int64           // how long it may be while others wait; 0: nobody does
}

// The bounds of a stint. A driver that notices what comes ends it then, so it may be long; with another one it is how
// late what comes may be noticed. While others wait it is as long at least as it takes to change between them ten
// times.
const (
	stintNoticing = time.Millisecond
	stintBlind    = 50 * time.Microsecond
	stintLeast    = 20 * time.Microsecond
	// lookEvery is between two looks at the clock, and lookCalls how many calls at most: those that follow may take a
	// thousand times as long.
	lookEvery = 2 * time.Microsecond
	lookCalls = 32
	// worldCalls is how many calls a stint has in a world, whose clock stands still meanwhile.
	worldCalls = 16
)

// begin begins one.
func (s *stint) begin(span int64) { s.left, s.until, s.span = 0, 0, span }

// most is how long it may be.
func (s *stint) most() int64 {
	most := stintBlind
	if s.notices != nil {
		most = stintNoticing
	}
	if s.span == 0 {
		return int64(most)
	}
	return min(int64(most), max(int64(stintLeast), s.span))
}

// NeedYield reports whether the running task, which computes, is to let others run: something has come, or it has had
// the thread for long. T.
func (l *Loop) NeedYield() bool {
	s := &l.stint
	if s.notices != nil && s.notices.Noticed() || len(l.out.Sends) > 0 {
		return true
	}
	s.left--
	return s.left < 0 && s.look(l)
}

// look looks at the clock, and at what has come by other ways than the driver's.
func (s *stint) look(l *Loop) (over bool) {
	if !l.set.world.Beside() {
		s.left = worldCalls
		if over = s.until != 0; over {
			s.left = 0
		}
		s.until = 1
		return over
	}
	now := l.set.elapsed()
	at, due := l.timers.Next()
	switch {
	case s.until == 0:
		s.until, s.calls = now+s.most(), 1
	case now >= s.until || l.shares.disturbed() || l.inbox.waiting() || due && at <= now:
		s.left = 0
		return true
	default:
		each := max(1, (now-s.looked)/int64(s.calls))
		s.calls = int(min(max(1, int64(lookEvery)/each), lookCalls))
	}
	s.looked, s.left = now, s.calls-1
	return false
}
