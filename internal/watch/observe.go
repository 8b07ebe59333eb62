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

// run is who looks at a Run.
type run struct {
	*census.Run
	set    *loop.Set
	cfg    *loop.Config
	loops  []*target
	rests  atomic.Bool   // the watcher does, until a loop begins a turn
	rested chan struct{} // has room for the word that one has
	frozen loop.Seldom
}

// Observe is for loop.Config.
func Observe(s *loop.Set) loop.RunObserver {
	return &run{Run: census.NewRun(s), set: s, cfg: s.Config(), rested: make(chan struct{}, 1)}
}

// On has the census of a loop, and notes its long turns.
func (r *run) On(l *loop.Loop) loop.Observer {
	o := &target{Record: r.Record(l), view: seen{l, l.Look()}, l: l, run: r, hold: r.cfg.Hold}
	if o.hold <= 0 {
		o.hold = math.MaxInt64
	}
	r.loops = append(r.loops, o)
	return o
}

// Runs watches while the loops run.
func (r *run) Runs() (ends func()) {
	leave, stop := countLoops(r.cfg), r.startWatch()
	return func() { stop(); leave() }
}

// elapsed is the time since the Run began.
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

// seen is a loop's view.
type seen struct {
	*loop.Loop
	*loop.Look
}

// target is a loop to who looks at it.
type target struct {
	*census.Record
	view // of l
	l    *loop.Loop
	run  *run
	hold time.Duration // turns that are longer are noted
	held holds

	longs  atomic.Int64 // turns that were put into turns, or passed over
	mu     sync.Mutex
	turns  []longTurn
	passed int // how many found no room
	lost   time.Duration
}

// longTurn is a turn that took longer than Config.Hold.
type longTurn struct {
	began int64
	took  time.Duration
}

// longTurnsMax bounds the long turns of a loop that wait for the watcher, which comes by every 50 ms. Of more it learns
// how many there were, and how long they took together.
const longTurnsMax = 32

// targetOf is a loop's; nil if nobody looks at its Run.
func targetOf(l *loop.Loop) *target {
	o, _ := l.Observer().(*target)
	return o
}

// goid is its goroutine, as stack traces call it.
func (o *target) goid() uint64 { id, _ := o.Goroutine(); return id }

// TurnBegins ends the watcher's rest.
func (o *target) TurnBegins() (tasks bool) {
	if o.run.rests.Load() {
		o.run.endRest()
	}
	return o.Record.TurnBegins()
}

// TurnEnds notes a long turn, of which there are few.
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

// takeLong gives the long turns that have ended since it was last asked. G.
func (o *target) takeLong(into []longTurn) (turns []longTurn, passed int, lost time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	turns = append(into, o.turns...)
	passed, lost = o.passed, o.lost
	o.turns, o.passed, o.lost = o.turns[:0], 0, 0
	return turns, passed, lost
}
