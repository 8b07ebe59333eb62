package watch

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/gmark"
)

// run observes a Run.
type run struct {
	*census.Run
	set    *loop.Set
	cfg    *loop.Config
	loops  []*target
	rests  atomic.Bool   // the watcher rests, until a loop begins a turn
	rested chan struct{} // has room for one message: a loop has begun a turn
}

// Observe makes the observer of a Run, for loop.Config.
func Observe(s *loop.Set) loop.RunObserver {
	return &run{Run: census.NewRun(s), set: s, cfg: s.Config(), rested: make(chan struct{}, 1)}
}

// On makes the observer of a loop: its record of package census, which also notes long turns.
func (r *run) On(l *loop.Loop) loop.Observer {
	o := &target{Record: r.Record(l), view: seen{l, l.Look()}, l: l, run: r, hold: r.cfg.Hold}
	if o.hold <= 0 {
		o.hold = math.MaxInt64
	}
	r.loops = append(r.loops, o)
	return o
}

// Runs starts the watcher for the time in which the loops run.
func (r *run) Runs() (ends func()) {
	leave, stop := countLoops(r.cfg), r.startWatch()
	return func() { stop(); leave() }
}

// elapsed returns the time since the Run began.
func (r *run) elapsed() int64 { return r.loops[0].Elapsed() }

// view is what the watcher sees of a loop.
type view interface {
	Index() int
	Elapsed() int64
	TurnBegan() int64
	Thread() int32
	Goroutine() (id uint64, g gmark.G)
	Mark() *gmark.Mark
	Call(fn func()) bool
	LockWaits(most int, least time.Duration) (all []loop.LockWait, none bool)
	FreshLockWait() bool
	TakeFreshLockWait() bool
}

// seen implements view for a loop.
type seen struct {
	*loop.Loop
	*loop.Look
}

// target is a loop as the watcher looks at it.
type target struct {
	*census.Record
	view // of l
	l    *loop.Loop
	run  *run
	hold time.Duration // longer turns are noted
	held holds

	frozen loop.Seldom               // reports of callbacks that are parked
	asks   atomic.Pointer[lockRound] // the round that its mailbox has a question of

	longs  atomic.Int64 // long turns so far, in turns or passed over
	mu     sync.Mutex
	turns  []longTurn
	passed int           // long turns that had no room in turns
	lost   time.Duration // how long those took together
}

// longTurn is a turn that took longer than Config.Hold.
type longTurn struct {
	began int64
	took  time.Duration
}

// longTurnsMax bounds the long turns of a loop that wait for the watcher, which looks every 50 ms. Of further ones
// only the number and the total time are kept.
const longTurnsMax = 32

// targetOf returns the target of a loop, nil if its Run is not observed by this package.
func targetOf(l *loop.Loop) *target {
	o, _ := l.Observer().(*target)
	return o
}

// goid returns the loop's goroutine id, as stack traces have it.
func (o *target) goid() uint64 { id, _ := o.Goroutine(); return id }

// TurnBegins wakes the watcher if it rests.
func (o *target) TurnBegins() (tasks bool) {
	if o.run.rests.Load() {
		o.run.endRest()
	}
	return o.Record.TurnBegins()
}

// TurnEnds notes the turn if it was long, which is rare.
func (o *target) TurnEnds(took time.Duration) {
	o.Record.TurnEnds(took)
	if took > o.hold {
		o.long(o.TurnBegan(), took)
	}
}

// long notes a long turn that has ended.
func (o *target) long(began int64, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.turns) < longTurnsMax {
		o.turns = append(o.turns, longTurn{began, took})
	} else {
		o.passed++
		o.lost += took
	}
	o.longs.Add(1)
}

// takeLong returns the long turns that have ended since the last call, and forgets them. G.
func (o *target) takeLong(into []longTurn) (turns []longTurn, passed int, lost time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	turns = append(into, o.turns...)
	passed, lost = o.passed, o.lost
	o.turns, o.passed, o.lost = o.turns[:0], 0, 0
	return turns, passed, lost
}
