package stage

import (
	"context"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/rt/gmark"
)

// Clock is the world's.
type Clock interface {
	Now() int64
	// MoveTo moves it on. What is due by then must have happened.
	MoveTo(ns int64)
	// Next is when something is to happen; false: nothing is.
	Next() (at int64, ok bool)
}

// goroutines is what a stage has whose programs have goroutines beside their loops. All of them are in one bubble of
// testing/synctest, which has a clock that goes with the world's, and tells when nobody in it has anything to do but
// the stage. Then the stage goes on.
//
//	the stage     a turn ─▶ Let: wait until all goroutines do ─▶ the next event's time ─▶ its turn
//	                          │            ▲
//	goroutines                └─▶ run ─────┘ their calls happen at once; what loops are to do is an event
//
// Whoever is in the world has mu: the stage, but while it waits in Let; a goroutine in its calls of the kernel, the
// driver and the clock. The stage has no thread of its own, since that costs 50 µs a wait (ADR 80): who
// runs on it is known by its g. So an iterator of iter.Pull in a task is not known.
type goroutines struct {
	s     *Stage
	clock Clock
	mu    sync.Mutex
	guest atomic.Uintptr // the g that has it; 0: none, or the stage has
	// waits is how many goroutines wait for it, and entries how many have had it.
	waits   atomic.Int32
	entries atomic.Uint64
	leave   func() // ends an Enter

	root atomic.Uintptr         // the g of the stage; 0: it has ended
	gs   map[*loop.Loop]gmark.G // of their coroutines
	turn atomic.Pointer[turn]   // nil: nobody's
	lets atomic.Uint64          // odd while it lets them, for who looks whether they go on

	began  time.Time // by the bubble's clock, when the world's was at zero
	zero   int64
	sleeps bool          // in Let, until something happens or alarm
	roused chan struct{} // a goroutine was in the world meanwhile
	alarm  *time.Timer
	posts  []func() // to be called by the stage
}

// turn is that of a loop.
type turn struct {
	l *loop.Loop
	g gmark.G // of its coroutine
}

// OpenWithGoroutines is Open for a calling goroutine that is in a bubble of testing/synctest, and has no thread of its
// own. What begins in the bubble from now on is beside the loops, and may use what is in the world.
func OpenWithGoroutines(rules Rules, clock Clock) *Stage {
	s := &Stage{rules: rules}
	b := &goroutines{s: s, clock: clock, gs: map[*loop.Loop]gmark.G{}, began: time.Now(), zero: clock.Now(),
		roused: make(chan struct{}, 1), alarm: time.NewTimer(time.Hour)}
	b.alarm.Stop()
	b.root.Store(uintptr(gmark.Current()))
	b.leave = b.leaves
	b.mu.Lock()
	s.beside = b
	s.close = loop.GiveTurns(s)
	return s
}

// Runs has a loop's coroutine run fn, which is all of the loop.
func (s *Stage) Runs(l *loop.Loop, fn func()) {
	if b := s.beside; b != nil {
		g := gmark.Current()
		b.gs[l] = g
		b.turn.Store(&turn{l, g})
		defer delete(b.gs, l)
	}
	fn()
}

// begins and ends say whose turn it is.
func (b *goroutines) begins(l *loop.Loop) { b.turn.Store(&turn{l, b.gs[l]}) }

func (b *goroutines) ends() { b.turn.Store(nil) }

// ended says that there is no stage any more.
func (b *goroutines) ended() {
	b.ends()
	b.root.Store(0)
	b.mu.Unlock()
}

// here reports whether the caller is the stage. G.
func (b *goroutines) here() bool {
	g := gmark.Current()
	if uintptr(g) == b.root.Load() {
		return true
	}
	t := b.turn.Load()
	return t != nil && (g == t.g || t.l.Mark().IsCurrent())
}

// around reports whether the caller, who is not here, is in the stage's bubble: others begin in the year 2000. G.
func (b *goroutines) around() bool { return kernel.InBubble() && time.Since(b.began) >= 0 }

func (b *goroutines) now() int64 { return b.zero + int64(time.Since(b.began)) }

var stays = func() {}

// Enter has a goroutine be in the world, alone, until it leaves; the stage is there as it is, and who has entered. G.
func (s *Stage) Enter() (leave func()) {
	b := s.beside
	if b == nil || b.here() {
		return stays
	}
	me := uintptr(gmark.Current())
	if b.guest.Load() == me {
		return stays
	}
	b.waits.Add(1)
	b.mu.Lock()
	b.waits.Add(-1)
	b.entries.Add(1)
	b.guest.Store(me)
	if b.sleeps {
		b.catchUp()
	}
	return b.leave
}

// catchUp moves the world's clock to what the bubble's says, but not past what is to happen: a task, or the script, may
// have slept by Go's clock, which holds the world up as any work does.
func (b *goroutines) catchUp() {
	at := b.now()
	if next, ok := b.clock.Next(); ok {
		at = min(at, next)
	}
	b.clock.MoveTo(at)
}

func (b *goroutines) leaves() {
	rouse := b.sleeps
	b.guest.Store(0)
	b.mu.Unlock()
	if rouse {
		b.rouse()
	}
}

// rouse ends the stage's sleep, or the next one.
func (b *goroutines) rouse() {
	select {
	case b.roused <- struct{}{}:
	default:
	}
}

// post has the stage call fn, on no loop. G.
func (b *goroutines) post(fn func()) {
	leave := b.s.Enter()
	b.posts = append(b.posts, fn)
	leave()
}

// letMost is how far Let moves the clock while nothing happens, so that the caller may look at other things.
const letMost = time.Minute

// Let has goroutines run until all of them wait, and moves the clock to the next event, or to when a goroutine has made
// one; at most to until, and by a minute. It does nothing where there are no goroutines.
func (s *Stage) Let(until int64) {
	b := s.beside
	if b == nil {
		return
	}
	if now := b.clock.Now(); until-now > int64(letMost) {
		until = now + int64(letMost)
	}
	for {
		b.lets.Add(1)
		b.mu.Unlock()
		synctest.Wait()
		b.mu.Lock()
		b.lets.Add(1)
		b.takePosts()
		at := until
		if next, ok := b.clock.Next(); ok {
			at = min(at, next)
		}
		d := at - b.now()
		if d <= 0 {
			b.catchUp()
			return
		}
		b.sleep(time.Duration(d))
	}
}

// sleep lets the bubble's clock go on, and the world's with it.
func (b *goroutines) sleep(d time.Duration) {
	select {
	case <-b.roused: // before it slept
	default:
	}
	b.sleeps = true
	b.alarm.Reset(d)
	b.lets.Add(1)
	b.mu.Unlock()
	select {
	case <-b.roused:
		b.alarm.Stop()
	case <-b.alarm.C:
	}
	b.mu.Lock()
	b.lets.Add(1)
	b.sleeps = false
	b.catchUp()
}

func (b *goroutines) takePosts() {
	for len(b.posts) > 0 {
		fn := b.posts[0]
		b.posts = b.posts[1:]
		fn()
	}
	b.s.lookAtContexts()
}

// Waits counts, and reports whether goroutines wait for the stage: who finds the same count again, while no turn is,
// knows that the script waits for something else. G.
func (s *Stage) Waits() (n uint64, now bool) {
	if s.beside == nil {
		return 0, false
	}
	return s.beside.entries.Load(), s.beside.waits.Load() > 0
}

// Lets counts, and reports whether goroutines run now: who looks from outside, and finds the same count again, knows
// that they come to no rest. G.
func (s *Stage) Lets() (n uint64, now bool) {
	if s.beside == nil {
		return 0, false
	}
	n = s.beside.lets.Load()
	return n, n%2 == 1
}

// afterContext is AfterContext where contexts end beside the loops.
func (b *goroutines) afterContext(ctx context.Context, fn func()) (stop func() bool) {
	return context.AfterFunc(ctx, func() { b.post(fn) })
}

// moment is Moment for a time of the bubble's clock, of which all are taken to be that say nothing else.
func (b *goroutines) moment(l *loop.Loop, t time.Time) int64 {
	defer b.s.Enter()()
	return loopTime(l, b.zero+int64(t.Sub(b.began))-b.clock.Now())
}
