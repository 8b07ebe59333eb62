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

// Clock is the world's clock.
type Clock interface {
	Now() int64
	// MoveTo advances the clock. Events that are due by then must have happened.
	MoveTo(ns int64)
	// Next returns when the next event is due; ok is false if there is none.
	Next() (at int64, ok bool)
}

// goroutines is the part of a stage whose programs have goroutines beside their loops. All of them are in one bubble
// of testing/synctest. Its clock advances with the world's, and the bubble tells when no goroutine in it has anything
// to do. Then the stage goes on.
//
//	the stage     a turn ─▶ Let: wait until all goroutines do ─▶ the next event's time ─▶ its turn
//	                          │            ▲
//	goroutines                └─▶ run ─────┘ their calls happen at once; what loops are to do is an event
//
// Code that is in the world holds mu: the stage, except while it waits in Let; a goroutine during its calls of the
// kernel, the driver and the clock. The stage has no thread of its own, since that would cost 50 µs for each wait (ADR
// 80): code that runs on it is recognized by its g. So an iterator of iter.Pull in a task is not recognized.
type goroutines struct {
	s     *Stage
	clock Clock
	mu    sync.Mutex
	guest atomic.Uintptr // the g that holds mu; 0: no goroutine does
	// waits is how many goroutines wait for mu, and entries how many have held it.
	waits   atomic.Int32
	entries atomic.Uint64
	leave   func() // ends an Enter

	root atomic.Uintptr         // the g of the stage; 0: the stage has ended
	gs   map[*loop.Loop]gmark.G // the g of each loop's coroutine
	turn atomic.Pointer[turn]   // nil: no loop has its turn
	lets atomic.Uint64          // odd while Let lets goroutines run, for observers of whether they come to rest

	began  time.Time // the time of the bubble's clock when the world's was zero
	zero   int64
	sleeps bool          // the stage is in Let, until something happens or the alarm
	roused chan struct{} // receives a value when a goroutine was in the world meanwhile
	alarm  *time.Timer
	posts  []func() // functions that the stage will call
}

// turn is the turn of a loop.
type turn struct {
	l *loop.Loop
	g gmark.G // the g of the loop's coroutine
}

// OpenWithGoroutines is Open for a goroutine that is in a bubble of testing/synctest and has no thread of its own.
// Goroutines that start in the bubble from now on are beside the loops, and may use what is in the world.
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

// Runs makes a loop's coroutine run fn, which is everything that the loop does.
func (s *Stage) Runs(l *loop.Loop, fn func()) {
	if b := s.beside; b != nil {
		g := gmark.Current()
		b.gs[l] = g
		b.turn.Store(&turn{l, g})
		defer delete(b.gs, l)
	}
	fn()
}

// begins and ends record whose turn it is.
func (b *goroutines) begins(l *loop.Loop) { b.turn.Store(&turn{l, b.gs[l]}) }

func (b *goroutines) ends() { b.turn.Store(nil) }

// ended records that the stage has ended.
func (b *goroutines) ended() {
	b.ends()
	b.root.Store(0)
	b.mu.Unlock()
}

// here reports whether the caller is on the stage. G.
func (b *goroutines) here() bool {
	g := gmark.Current()
	if uintptr(g) == b.root.Load() {
		return true
	}
	t := b.turn.Load()
	return t != nil && (g == t.g || t.l.Mark().IsCurrent())
}

// around reports whether the caller, which is not on the stage, is in its bubble: other bubbles start in the year
// 2000. G.
func (b *goroutines) around() bool { return kernel.InBubble() && time.Since(b.began) >= 0 }

func (b *goroutines) now() int64 { return b.zero + int64(time.Since(b.began)) }

var stays = func() {}

// Enter lets a goroutine into the world, alone, until it calls leave. On the stage, or inside another Enter, it does
// nothing. G.
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

// catchUp advances the world's clock to the bubble's, but not past the next event: a task, or the script, may have
// slept by Go's clock, which holds up the world as any work does.
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

// post makes the stage call fn, on no loop. G.
func (b *goroutines) post(fn func()) {
	leave := b.s.Enter()
	b.posts = append(b.posts, fn)
	leave()
}

// letMost bounds how far one Let advances the clock while nothing happens, so that the caller may look at other
// things.
const letMost = time.Minute

// Let lets goroutines run until all of them wait, and advances the clock to the next event, or to the time at which a
// goroutine has made one; at most to until, and at most by letMost. Without goroutines it does nothing.
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

// sleep lets the bubble's clock advance, and the world's with it.
func (b *goroutines) sleep(d time.Duration) {
	select {
	case <-b.roused: // roused before it slept
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

// Waits returns a count, and whether goroutines wait for the stage. A caller that finds the count unchanged, while no
// loop has its turn, knows that the script waits for something else. G.
func (s *Stage) Waits() (n uint64, now bool) {
	if s.beside == nil {
		return 0, false
	}
	return s.beside.entries.Load(), s.beside.waits.Load() > 0
}

// Lets returns a count, and whether goroutines run now. An observer that finds the count unchanged knows that they do
// not come to rest. G.
func (s *Stage) Lets() (n uint64, now bool) {
	if s.beside == nil {
		return 0, false
	}
	n = s.beside.lets.Load()
	return n, n%2 == 1
}

// afterContext is AfterContext for contexts that end beside the loops.
func (b *goroutines) afterContext(ctx context.Context, fn func()) (stop func() bool) {
	return context.AfterFunc(ctx, func() { b.post(fn) })
}

// moment is Moment for a time of the bubble's clock, which all times without another sign are assumed to be.
func (b *goroutines) moment(l *loop.Loop, t time.Time) int64 {
	defer b.s.Enter()()
	return loopTime(l, b.zero+int64(t.Sub(b.began))-b.clock.Now())
}
