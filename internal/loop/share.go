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

// Class is a group of tasks that have one share of each loop's time. G.
type Class struct {
	Name   string
	weight atomic.Int64
	io     atomic.Pointer[IOLimits] // nil: none
}

// The bounds of a weight, and the weight of all tasks that are in no class together.
const (
	WeightMin  = 1
	WeightMax  = 10000
	WeightMain = 100 // also of a class without one
)

// SetWeight changes the class's weight. G.
func (c *Class) SetWeight(w int) { c.weight.Store(int64(w)) }

// Weight returns the class's weight. G.
func (c *Class) Weight() int { return cmp.Or(int(c.weight.Load()), WeightMain) }

// shares divides a loop's time between classes: of those that have something ready, the one runs that has used the
// least time for its weight. One turn belongs to one class, so that computing tasks of a class do not hold back what
// tasks in no class have written.
type shares struct {
	l       *Loop
	main    share    // of the tasks in no class, which are in the loop's queue
	classes []*share // those that have tasks, or had some lately
	waiting int      // ready tasks of the classes
	low     int64    // the least used lately; a class that was idle starts a little before it, and saves up no more
	idle    bool     // main had nothing ready
	alone   bool     // main has had a turn in which no class had anything ready
	runs    *share   // whose turn it is; nil between turns, and while only main has anything
	last    *share   // whose turn the last one was
	tail    uint32   // end of the loop's queue when the turn of runs began
	read    int64    // time up to which CPU time is charged; 0 if none was
	items   int64    // tasks run, from which a world reckons time
}

// share is a class on one loop.
type share struct {
	*Class
	tasks int      // number of tasks in it
	ready TaskList // tasks that are ready, parked before or not begun
	used  int64    // nanoseconds, divided by weight
	total int64    // nanoseconds
	files shareIO
}

// class returns the class; nil for a nil share, which is main's.
func (c *share) class() *Class {
	if c == nil {
		return nil
	}
	return c.Class
}

// classBlock is a WithClass that a task is in.
type classBlock struct {
	class *Class
	outer *classBlock // the next block that was begun earlier
}

// WithClass calls fn with the running task in class c; nil for none. It first waits for the class's turn. T, parks.
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

// end ends the block. It need not be the block that was begun last, and the caller need not be the task that has begun
// it, which may even have ended: see limit.end.
func (b *classBlock) end(l *Loop, x *taskExt) {
	for p := &x.block; *p != nil; p = &(*p).outer {
		if *p == b {
			*p = b.outer
			break
		}
	}
	x.settle(l)
}

// settle moves the task to the class that its blocks say, and reports whether it was in another one.
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

// shareOf returns the class's share on the loop. It makes one if the class has none.
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

// over reports whether the loop may drop a share: no task is in the class, none that was in it is still ready, it has
// no file operation under way, and a new share would start no later. So a class keeps its account when its tasks come
// and go.
func (s *shares) over(c *share) bool {
	return c.tasks == 0 && c.ready.Empty() && c.files.running == 0 && c.used <= s.low-int64(head)
}

// ready returns how many tasks of classes are ready.
func (s *shares) ready() int {
	if s == nil {
		return 0
	}
	return s.waiting
}

// unbegun yields the ready tasks of classes that have not begun.
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

// takes puts a ready task into its class's queue; false if the task is in no class.
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
			s.l.stint.until = 1 // the present stint ends at its next look
		}
	}
	c.ready.Push(t)
	s.waiting++
}

// wakes lets a class that had nothing ready compete again, a little before the classes that were ready all the time.
func (s *shares) wakes(c *share) { c.used = max(c.used, s.low-int64(head)) }

// head is how far a class starts before the others if it has used less than its part lately, in time at main's weight:
// so its tasks run as soon as they are ready.
const head = time.Millisecond

// run runs the class whose turn it is. While no class has anything ready all time is main's, and the clock is read
// only when one has.
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
		s.l.charged.items = s.l.cfg.Budget // workers begin no other tasks
		for more := true; more; {
			more = s.runUntilExit(c)
		}
	}
	s.runs, s.last, s.read = nil, c, s.now()
	c.charge(s.read - began)
}

// runMain runs tasks in no class.
func (s *shares) runMain() {
	for s.l.runs() {
		s.l.runUntilExit()
	}
	s.items += int64(s.l.charged.items)
}

// endAlone is called when a class has something ready after turns in which none had. It moves low up to what main has
// used, so the classes do not catch up on that time. A class that had used more than its part has made up for it
// meanwhile.
func (s *shares) endAlone() {
	s.alone, s.low = false, max(s.low, s.main.used)
	for _, c := range s.classes {
		s.wakes(c)
	}
}

// disturbed reports whether a task in no class has become ready during the turn of a class.
func (s *shares) disturbed() bool {
	return s != nil && s.runs != nil && s.runs != &s.main && s.tail != s.l.ready.tail
}

// next returns whose turn it is, main's in a tie, and for how many nanoseconds: until another one has used less;
// 0 if no other has anything ready.
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

// runUntilExit runs tasks of a class until none is left or others must have a turn, or until runtime.Goexit has ended
// a worker. It reports whether to call it again, which is the case after a Goexit only.
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

// now returns the thread's CPU time. Tasks in a world use none, so there each run of a task counts as a microsecond.
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

// Shares returns the classes that have tasks on the loop.
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

// stint is how long the running class or task has had the thread, for NeedYield.
type stint struct {
	notices driver.Noticing // nil if the driver does not notice what comes
	left    int             // calls left until the next look at the clock
	calls   int             // calls from one look to the next
	looked  int64           // time of the last look, by Elapsed
	until   int64           // when the stint is over; 0 until the first call
	span    int64           // how long it may be while others wait; 0 if none do
}

// The bounds of a stint. A driver that notices what comes ends the stint, so it may be long; with any other driver the
// stint is how late the loop may notice what has come. While others wait a stint is at least as long as ten changes
// between them take.
const (
	stintNoticing = time.Millisecond
	stintBlind    = 50 * time.Microsecond
	stintLeast    = 20 * time.Microsecond
	// lookEvery is the time between two looks at the clock, lookCalls the most calls between them: the calls after a
	// look may take a thousand times as long as those before it.
	lookEvery = 2 * time.Microsecond
	lookCalls = 32
	// worldCalls is how many calls a stint lasts in a world, whose clock stands still while a task runs.
	worldCalls = 16
)

// begin begins a stint.
func (s *stint) begin(span int64) { s.left, s.until, s.span = 0, 0, span }

// most returns how long the stint may be.
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

// NeedYield reports whether the running task, which computes, should let others run: something has come, the outbox
// holds something, or the task has had the thread for long. T.
func (l *Loop) NeedYield() bool {
	s := &l.stint
	if s.notices != nil && s.notices.Noticed() || len(l.out.Sends) > 0 {
		return true
	}
	s.left--
	return s.left < 0 && s.look(l)
}

// look looks at the clock, and at what comes by other ways than through the driver.
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
