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
// task has it, so a circle can be seen: twice a second the watcher asks the loops on which tasks wait for locks which
// task waits for which. A circle that it finds in two rounds is a deadlock, unless someone outside the circle unlocks.

const (
	// locksEvery is how often the watcher asks which tasks wait for locks.
	locksEvery = 500 * time.Millisecond
	// sameRounds is how many rounds without a new wait suffice to see every circle. Waits that began just before the
	// first round are old enough to be listed in the third, and a circle is reported once it was seen in two.
	sameRounds = 4
	// lockWaitsMax bounds the waiting tasks of a loop that are looked at. Those that began to wait last are left out.
	lockWaitsMax = 4096
	// inCircleMax bounds the tasks in a report.
	inCircleMax = 10
)

// lockWait is a task that waits for a lock, and its loop.
type lockWait struct {
	loop.LockWait
	loop int
	goid uint64 // of the loop
}

// lockRound collects the answers of the loops.
type lockRound struct {
	mu   sync.Mutex
	all  []lockWait
	none []int // the loops on which no task waits
	left int   // loops that have not answered
}

func (r *lockRound) ask(l *target) {
	r.mu.Lock()
	r.left++
	r.mu.Unlock()
	if l.asks.Swap(r) != nil {
		return // it is held since an earlier round, whose mail is this one's too: the mailbox does not grow
	}
	l.Call(func() {
		r := l.asks.Swap(nil)
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

// lockWatch is what the watcher knows of waits and circles.
type lockWatch struct {
	next  int64 // when the next round begins
	round *lockRound
	seen  map[string]bool // the circles of the last round; true: reported
	waits []bool          // by loop, whether tasks may wait there
	same  int             // rounds that were answered since the last new wait
}

// lookAtLocks starts a round when the time has come, and judges the answers of the last one.
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

// knowsLocks reports whether another round would show the watcher nothing new: because no task waits for a lock, or
// because all that do have been asked so often since the last new wait that each circle was seen twice. A circle can
// only close by a new wait.
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

// judgeCircles reports the circles that were there in the last round too, and were not reported yet.
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

// circles finds the circles among waiting tasks. Each circle begins with the task that has waited longest, so that it
// looks the same in every round.
func circles(all []lockWait) (found [][]lockWait) {
	byTask := make(map[loop.TaskRef]int, len(all))
	for i, w := range all {
		byTask[w.Who] = i
	}
	next := func(at int) (int, bool) { i, known := byTask[all[at].On]; return i, known }
	met := make([]int, len(all)) // the number of the walk that came by, from 1 on
	for i := range all {
		for at, known := i, true; known; {
			if met[at] == 0 {
				met[at] = i + 1
				at, known = next(at)
				continue
			}
			if met[at] == i+1 { // the same walk: from here it goes in a circle
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

// circleText returns the report of a circle.
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

// stackOf returns the stack of a parked task as text.
func (w *watcher) stackOf(o lockWait, t stacks.Trace) string {
	if t != nil {
		return lockStack(t, o)
	}
	_, pcs := w.peeker.At(o.G)
	s := stacks.Stack{PCs: pcs}
	var b strings.Builder
	for _, f := range s.All() {
		if b.Len() > 0 || slices.Contains(locks, f.Name) { // leave out the frames in which it parks
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

// lockStack finds the stack of a waiting task in t. Of several tasks that run the same function it returns the first.
func lockStack(t stacks.Trace, o lockWait) string {
	for _, g := range t {
		waits := func(call string) bool { return strings.Contains(string(g.Stack), call+"(") }
		if g.By == o.goid && g.Task() == o.Runs && slices.ContainsFunc(locks, waits) {
			return string(g.Stack) + "\n"
		}
	}
	return "its stack is not known\n"
}
