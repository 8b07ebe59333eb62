package watch

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/stacks"
)

// Tasks that wait for locks of each other, in a circle, wait for ever, on one loop or on several. A lock knows which
// task has it, so a circle can be seen: twice a second the watcher asks those loops on which tasks wait for locks which
// task waits for which. What it finds in two rounds is a deadlock, unless somebody unlocks who is none of them.

const (
	// locksEvery is how often the watcher looks at who waits for locks.
	locksEvery = 500 * time.Millisecond
	// sameRounds is how many rounds find the same who wait before there is no other: those who came just before the
	// first are old enough for it in the third, and a circle is one if it is there in two.
	sameRounds = 4
	// lockWaitsMax bounds the tasks of a loop that it looks at. Of more, those that began to wait last are left out.
	lockWaitsMax = 4096
	// inCircleMax bounds the tasks in a report.
	inCircleMax = 10
)

// lockWait is a task that waits for a lock, on some loop.
type lockWait struct {
	loop.LockWait
	loop int
	goid uint64 // of the loop
}

// lockRound is what the loops answer.
type lockRound struct {
	mu   sync.Mutex
	all  []lockWait
	none []int // the loops on which nobody waits
	left int   // who have not answered
}

func (r *lockRound) ask(l *target) {
	r.mu.Lock()
	r.left++
	r.mu.Unlock()
	l.Call(func() {
		all, none := l.LockWaits(lockWaitsMax, locksEvery)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, w := range all {
			r.all = append(r.all, lockWait{w, l.Index(), l.goid()})
		}
		if none {
			r.none = append(r.none, l.Index())
		}
		r.left--
	})
}

// lockWatch is what the watcher knows of circles.
type lockWatch struct {
	next  int64 // when the next round begins
	round *lockRound
	seen  map[string]bool // in the last round; true: reported
	waits []bool          // by loop, whether somebody may
	same  int             // how many rounds have been answered since one was fresh
}

// lookAtLocks begins a round if it is time to, and looks at what the last one has brought.
func (w *watcher) lookAtLocks() {
	now := w.run.elapsed()
	if now < w.locks.next || !w.run.cfg.Tells() {
		return
	}
	w.locks.next = now + int64(locksEvery)
	if r := w.locks.round; r != nil {
		r.mu.Lock()
		all, none, answered := r.all, r.none, r.left == 0
		r.mu.Unlock()
		w.judgeCircles(circles(all), now)
		for _, i := range none {
			w.locks.waits[i] = false
		}
		if answered {
			w.locks.same++
		}
	}
	w.locks.round = nil
	if w.knowsLocks() {
		return
	}
	for i, l := range w.run.loops {
		if l.TakeFreshLockWait() {
			w.locks.waits[i], w.locks.same = true, 0
		}
	}
	for i, l := range w.run.loops {
		if !w.locks.waits[i] {
			continue
		}
		if w.locks.round == nil {
			w.locks.round = &lockRound{}
		}
		w.locks.round.ask(l)
	}
}

// knowsLocks reports whether another round would tell the watcher nothing: nobody waits for a lock, or all who do have
// been asked so often since the last came that each circle of theirs was seen twice: one closes when somebody comes.
func (w *watcher) knowsLocks() bool {
	if !w.run.cfg.Tells() {
		return true
	}
	waits := false
	for i, l := range w.run.loops {
		if l.FreshLockWait() {
			return false
		}
		waits = waits || w.locks.waits[i]
	}
	return !waits || w.locks.same >= sameRounds
}

// judgeCircles reports what was there in the round before, and was not reported.
func (w *watcher) judgeCircles(found [][]lockWait, now int64) {
	seen := make(map[string]bool, len(found))
	for _, c := range found {
		key := fmt.Sprint(c)
		reported, again := w.locks.seen[key]
		if again && !reported {
			w.run.cfg.Tell("tasks wait for each other", w.circleText(c, now))
			reported = true
		}
		seen[key] = reported
	}
	w.locks.seen = seen
}

// circles finds those among tasks that wait for each other. Each begins with the task that has waited longest, so that
// it is the same every time.
func circles(all []lockWait) (found [][]lockWait) {
	byTask := make(map[loop.TaskRef]int, len(all))
	for i, w := range all {
		byTask[w.Who] = i
	}
	next := func(at int) (int, bool) { i, known := byTask[all[at].On]; return i, known }
	met := make([]int, len(all)) // in which walk, from 1 on
	for i := range all {
		for at, known := i, true; known; {
			if met[at] == 0 {
				met[at] = i + 1
				at, known = next(at)
				continue
			}
			if met[at] == i+1 { // in this walk: so it goes round from here
				found = append(found, circleFrom(all, byTask, at))
			}
			break
		}
	}
	return found
}

func circleFrom(all []lockWait, byTask map[loop.TaskRef]int, from int) (c []lockWait) {
	c = append(c, all[from])
	for at := byTask[all[from].On]; at != from; at = byTask[all[at].On] {
		c = append(c, all[at])
	}
	first := slices.MinFunc(c, func(a, b lockWait) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.loop, b.loop), cmp.Compare(a.Who.ID, b.Who.ID))
	})
	at := slices.Index(c, first)
	return append(c[at:len(c):len(c)], c[:at]...)
}

// circleText is the report.
func (w *watcher) circleText(c []lockWait, now int64) string {
	var b strings.Builder
	if len(c) == 1 {
		fmt.Fprintf(&b, "ringo: deadlock: task %s on loop %d waits for a lock of Ringo's that it has itself, for %v.\n",
			c[0].Name, c[0].loop, lockAge(c[0], now))
	} else {
		fmt.Fprintf(&b, "ringo: deadlock: %d tasks wait for a lock of Ringo's that the next one has:\n", len(c))
		for i, o := range c[:min(len(c), inCircleMax)] {
			has := c[(i+1)%len(c)]
			fmt.Fprintf(&b, "  task %s on loop %d, for %v, which %s on loop %d has\n", o.Name, o.loop, lockAge(o, now),
				has.Name, has.loop)
		}
	}
	if more := len(c) - inCircleMax; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
		c = c[:inCircleMax]
	}
	b.WriteString("That ends only if somebody else unlocks. LockContext is Lock with a wait that can be ended.\n")
	var t stacks.Trace
	if !peeks() && runtime.NumGoroutine() <= census.StacksMax {
		t = stacks.Take()
	}
	for _, o := range c {
		fmt.Fprintf(&b, "\ntask %s on loop %d:\n%s", o.Name, o.loop, w.stackOf(o, t))
	}
	return b.String()
}

func lockAge(o lockWait, now int64) time.Duration {
	return time.Duration(o.Since.Age(now)).Round(100 * time.Millisecond)
}

// stackOf is the stack of a task that is parked, as text.
func (w *watcher) stackOf(o lockWait, t stacks.Trace) string {
	if t != nil {
		return lockStack(t, o)
	}
	_, pcs := w.peeker.At(o.G)
	s := stacks.Stack{PCs: pcs}
	var b strings.Builder
	for _, f := range s.All() {
		if b.Len() > 0 || slices.Contains(locks, f.Name) { // not how it parks
			fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Name, f.File, f.Line)
		}
		if f.Name == stacks.Serve {
			break
		}
	}
	if b.Len() == 0 {
		return "it has gone on meanwhile\n"
	}
	return b.String()
}

// locks are the calls in which tasks wait for locks.
var locks = []string{"ringo.(*Mutex).Lock", "ringo.(*RWMutex).Lock", "ringo.(*RWMutex).RLock"}

// lockStack is the stack of one that waits for a lock: of several that run the same the first.
func lockStack(t stacks.Trace, o lockWait) string {
	for _, g := range t {
		waits := func(call string) bool { return strings.Contains(string(g.Stack), call+"(") }
		if g.By == o.goid && g.Task() == o.Runs && slices.ContainsFunc(locks, waits) {
			return string(g.Stack) + "\n"
		}
	}
	return "its stack is not known\n"
}
