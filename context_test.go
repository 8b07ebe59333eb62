package ringo_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"ringo/internal/test/testmain"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringo"
)

// station is something to wait at: one who calls, and one who gives what is waited for.
type station struct {
	call func(ctx context.Context) error // nil: the caller has got it
	give func() bool                     // without waiting; false if that needs somebody who waits, and nobody does
	// left takes back what was given and nobody has got, and reports whether there was any.
	left    func() bool
	waiting func() int
}

// stations are all calls that a context ends.
var stations = map[string]func() station{
	"Mutex.LockContext": func() station {
		m := new(ringo.Mutex)
		m.Lock()
		return station{m.LockContext, func() bool { m.Unlock(); return true }, m.TryLock, m.Waiting}
	},
	"Semaphore.Acquire": func() station {
		s := ringo.NewSemaphore(2)
		s.TryAcquire(2)
		return station{func(ctx context.Context) error { return s.Acquire(ctx, 2) },
			func() bool { s.Release(2); return true }, func() bool { return s.TryAcquire(2) }, s.Waiting}
	},
	"Chan.SendContext": func() station {
		c := ringo.NewChan[int](1)
		c.TrySend(0)
		return station{func(ctx context.Context) error { return c.SendContext(ctx, 1) },
			func() bool { _, ok := c.TryRecv(); return ok }, func() bool { return c.TrySend(0) }, c.Waiting}
	},
	"Chan.SendContext of 0": func() station {
		c := ringo.NewChan[int](0)
		return station{func(ctx context.Context) error { return c.SendContext(ctx, 1) },
			func() bool { _, ok := c.TryRecv(); return ok }, none, c.Waiting}
	},
	"Chan.RecvContext": func() station {
		c := ringo.NewChan[int](1)
		return station{func(ctx context.Context) error { return received(c.RecvContext(ctx)) },
			func() bool { return c.TrySend(1) }, func() bool { _, ok := c.TryRecv(); return ok }, c.Waiting}
	},
	"Chan.RecvContext of 0": func() station {
		c := ringo.NewChan[int](0)
		return station{func(ctx context.Context) error { return received(c.RecvContext(ctx)) },
			func() bool { return c.TrySend(1) }, none, c.Waiting}
	},
	"SelectContext, receiving": func() station {
		c, other, v := ringo.NewChan[int](1), ringo.NewChan[int](0), 0
		cases := []ringo.Case{ringo.RecvInto(other, &v), ringo.RecvInto(c, &v)}
		return station{func(ctx context.Context) error { return chosen(ringo.SelectContext(ctx, cases...)) },
			func() bool { return c.TrySend(1) }, func() bool { _, ok := c.TryRecv(); return ok }, c.Waiting}
	},
	"SelectContext, sending": func() station {
		c, other, v := ringo.NewChan[int](0), ringo.NewChan[int](0), 1
		cases := []ringo.Case{ringo.SendFrom(other, &v), ringo.SendFrom(c, &v)}
		return station{func(ctx context.Context) error { return chosen(ringo.SelectContext(ctx, cases...)) },
			func() bool { _, ok := c.TryRecv(); return ok }, none, c.Waiting}
	},
	"WaitGroup.WaitContext": func() station {
		g := new(ringo.WaitGroup)
		g.Add(1)
		var done atomic.Int32
		return station{func(ctx context.Context) error {
			err := g.WaitContext(ctx)
			if err == nil {
				done.Add(1)
			}
			return err
		}, func() bool { g.Done(); return true }, func() bool { return done.Load() == 0 }, g.Waiting}
	},
}

func none() bool { return false }

func received(v int, err error) error {
	if (err == nil) != (v == 1) {
		return errors.New("a value without a nil, or a nil without its value")
	}
	return err
}

func chosen(i int, err error) error {
	if want := map[bool]int{true: 1, false: -1}[err == nil]; i != want {
		return errors.New("another case came true")
	}
	return err
}

// caller runs f as somebody, beside the caller of begin. l is the loop of a task, nil for a goroutine.
type caller func(l *ringo.Loop, f func(l *ringo.Loop)) (cancel func(), wait func())

var everybody = map[string]caller{
	"a task": func(l *ringo.Loop, f func(*ringo.Loop)) (func(), func()) {
		t := l.Go(func() { f(l) })
		return t.Cancel, func() { t.Wait() }
	},
	"a task of another loop": func(l *ringo.Loop, f func(*ringo.Loop)) (func(), func()) {
		other := l.Loops()[1]
		t := other.Go(func() { f(other) })
		return t.Cancel, func() { t.Wait() }
	},
	"an iterator": func(l *ringo.Loop, f func(*ringo.Loop)) (func(), func()) {
		t := l.Go(func() { iterator(func() { f(l) }) })
		return t.Cancel, func() { t.Wait() }
	},
	"a goroutine": func(l *ringo.Loop, f func(*ringo.Loop)) (func(), func()) {
		ended := ringo.NewChan[int](0)
		go func() { defer ended.Close(); f(nil) }()
		return nil, func() { ended.Recv() }
	},
}

// ways are how a call is ended: call makes it, given a context that somebody else ends, and the caller's loop.
var ways = map[string]struct {
	task   bool // it is for tasks only
	cancel bool // by a cancel of the task, and not by the context
	call   func(ctx context.Context, l *ringo.Loop, call func(context.Context) error) error
}{
	"its context": {call: func(ctx context.Context, _ *ringo.Loop, call func(context.Context) error) error {
		return call(ctx)
	}},
	"WithContext": {task: true, call: func(ctx context.Context, l *ringo.Loop, call func(context.Context) error) error {
		return l.WithContext(ctx, func() error { return call(nil) })
	}},
	"WithContext, told twice": {task: true,
		call: func(ctx context.Context, l *ringo.Loop, call func(context.Context) error) error {
			return l.WithContext(ctx, func() error { return call(l.Context()) })
		}},
	"a cancel": {task: true, cancel: true,
		call: func(_ context.Context, _ *ringo.Loop, call func(context.Context) error) error { return call(nil) }},
	"a cancel, told by Loop.Context": {task: true, cancel: true,
		call: func(_ context.Context, l *ringo.Loop, call func(context.Context) error) error {
			return call(l.Context())
		}},
}

// beginning begins a call at a station, which cancel ends, or what it returns; result waits for the call's.
type beginning func(ctx context.Context, cancel func(), s station) (end func(), result func() error)

// eachWay runs f for each station, caller and way, beside two loops.
func eachWay(t *testing.T,
	f func(t *testing.T, l *ringo.Loop, make func() station, begin beginning, byCancel bool)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for who, run := range everybody {
			t.Run(who, func(t *testing.T) {
				beside(t, cfg, func(l *ringo.Loop) { eachWayOf(t, l, run, who == "a goroutine", f) })
			})
		}
	})
}

func eachWayOf(t *testing.T, l *ringo.Loop, run caller, goroutine bool,
	f func(t *testing.T, l *ringo.Loop, make func() station, begin beginning, byCancel bool)) {
	for how, way := range ways {
		if way.task && goroutine {
			continue
		}
		begin := func(ctx context.Context, cancel func(), s station) (func(), func() error) {
			var err error
			stop, wait := run(l, func(l *ringo.Loop) { err = way.call(ctx, l, s.call) })
			if way.cancel {
				cancel = stop
			}
			return cancel, func() error { wait(); return err }
		}
		for what, make := range stations {
			before := t.Failed()
			f(t, l, make, begin, way.cancel)
			if t.Failed() && !before {
				t.Errorf("the above was %s, ended by %s", what, how)
			}
		}
	}
}

// What need not wait succeeds, what has to wait is given, and what is ended is told why; then nothing is lost.
func TestContextEndsAWait(t *testing.T) {
	mine := errors.New("mine")
	eachWay(t, func(t *testing.T, l *ringo.Loop, make func() station, begin beginning, byCancel bool) {
		ctx, cancelCause := context.WithCancelCause(t.Context())
		cancel := func() { cancelCause(mine) }
		defer cancel()
		wantEnd := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) ||
				errors.Is(err, mine) == byCancel {
				t.Errorf("%s: %v", what, err)
			}
		}

		s := make()
		if s.give() {
			_, result := begin(ctx, cancel, s)
			equal(t, "free", result(), nil)
			equal(t, "left when it was free", s.left(), false)
		}

		s = make()
		_, result := begin(ctx, cancel, s)
		sleepUntil(t, l, "the one who waits", func() bool { return s.waiting() == 1 })
		equal(t, "given", s.give(), true)
		equal(t, "given while it waited", result(), nil)
		equal(t, "left", s.left(), false)

		s = make()
		end, result := begin(ctx, cancel, s)
		sleepUntil(t, l, "the one who waits", func() bool { return s.waiting() == 1 })
		end()
		wantEnd("ended while it waited", result())
		equal(t, "waiting after the end", s.waiting(), 0)
		if s.give() {
			equal(t, "left for others", s.left(), true)
		}

		cancel()
		if byCancel {
			return // nothing ends a call before it has begun
		}
		s = make()
		_, result = begin(ctx, cancel, s)
		wantEnd("ended before", result())
		if s = make(); s.give() { // what is free, too
			end, result = begin(ctx, cancel, s)
			if err := result(); err != nil {
				wantEnd("ended before, and free", err)
				equal(t, "left", s.left(), true)
			}
		}
	})
}

// A deadline is a timeout, in the words of package context and in those of package os.
func TestContextDeadline(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, l *ringo.Loop, make func() station, begin beginning, byCancel bool) {
		if byCancel {
			return
		}
		for _, d := range []time.Duration{-1, time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			s := make()
			_, result := begin(ctx, cancel, s)
			err := result()
			wantTimeout(t, "after the deadline", err)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want context.DeadlineExceeded", err)
			}
			cancel()
			equal(t, "waiting", s.waiting(), 0)
			if s.give() {
				equal(t, "left for others", s.left(), true)
			}
		}
	})
}

// Where the end and what is waited for come at the same time, one of them does: nothing is given and lost, nothing is
// got that was not given, and who stands behind is not held up. Places and Parkers are used again all the while.
func TestContextMeetsWhatIsGiven(t *testing.T) {
	rounds := 6
	if !testmain.Long() {
		rounds = 2
	}
	eachWay(t, func(t *testing.T, l *ringo.Loop, make func() station, begin beginning, byCancel bool) {
		s := make()
		for range rounds {
			ctx, cancel := context.WithCancel(t.Context())
			end, result := begin(ctx, cancel, s)
			if rand.IntN(4) > 0 {
				sleepUntil(t, l, "the one who waits", func() bool { return s.waiting() == 1 })
			}
			var both sync.WaitGroup
			given := false
			both.Go(end)
			both.Go(func() { given = s.give() })
			err := result()
			l.Offload(func(context.Context) error { both.Wait(); return nil })
			got, left := err == nil, s.left()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("a call: %v", err)
			}
			if got && left || given != (got || left) {
				t.Errorf("given %v, got %v, left %v", given, got, left)
			}
			equal(t, "waiting", s.waiting(), 0)
			cancel()
			s = make()
		}
	})
}

// A Signal that meets a waiter whose context ends is heard by that one or by the next, and whoever returns has the
// lock.
func TestCondContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			c := ringo.NewCond(&m)
			wait := func(ctx context.Context) error {
				m.Lock()
				defer m.Unlock()
				err := c.WaitContext(ctx)
				if m.TryLock() {
					t.Error("WaitContext returned without the lock")
				}
				return err
			}
			for who, run := range everybody {
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				_, result := run(l, func(*ringo.Loop) { wantCanceled(t, "ended before", wait(ended)) })
				result()
				for range 8 {
					ctx, cancel := context.WithCancel(t.Context())
					var first, second error
					var woken atomic.Bool
					_, firstEnds := run(l, func(*ringo.Loop) { first = wait(ctx) })
					sleepUntil(t, l, "the first in line", func() bool { return c.Waiting() == 1 })
					_, secondEnds := run(l, func(*ringo.Loop) { second = wait(nil); woken.Store(true) })
					sleepUntil(t, l, "the second in line", func() bool { return c.Waiting() == 2 })
					var both sync.WaitGroup
					both.Go(cancel)
					both.Go(c.Signal)
					firstEnds()
					l.Offload(func(context.Context) error { both.Wait(); return nil })
					if first == nil {
						equal(t, who+": woken by a signal that another has heard", woken.Load(), false)
						c.Signal()
					} else {
						wantCanceled(t, who, first)
					}
					secondEnds()
					equal(t, "the second", second, nil)
				}
			}
			equal(t, "waiting", c.Waiting()+m.Waiting(), 0)
		})
	})
}

func wantCanceled(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s: %v, want %v", what, err, context.Canceled)
	}
}

// Nothing ends Lock, Cond.Wait and WaitGroup.Wait, nor a join, but what they wait for: a cancelled task has the lock
// when they return, in a time that is over too, and unlocks what is its own; and no cancel is one of whom it joins.
func TestWaitsThatNothingEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			var g ringo.WaitGroup
			c := ringo.NewCond(&m)
			gate := ringo.NewChan[int](0)
			var joined *ringo.Task
			all := ringo.NewGroup(l)
			held := func() error { _, err := gate.Recv(); return err }
			release := func() { gate.Send(1) }
			for what, s := range map[string]struct {
				begin, wait, end func()
				waiting          func() int
			}{
				"Mutex.Lock":     {m.Lock, func() { m.Lock(); m.Unlock() }, m.Unlock, m.Waiting},
				"Cond.Wait":      {func() {}, func() { m.Lock(); c.Wait(); m.Unlock() }, c.Signal, c.Waiting},
				"WaitGroup.Wait": {func() { g.Add(1) }, g.Wait, g.Done, g.Waiting},
				"Task.Wait": {func() { joined = l.Go(func() { equal(t, "who is joined", held(), nil) }) },
					func() { equal(t, "Task.Wait", joined.Wait(), nil) }, release, gate.Waiting},
				"Group.Wait": {func() { all.Go(held) }, func() { equal(t, "Group.Wait", all.Wait(), nil) }, release,
					gate.Waiting},
			} {
				for how, within := range map[string]func(fn func() error) error{
					"cancelled":   func(fn func() error) error { return fn() },
					"too late":    func(fn func() error) error { return l.WithTimeout(0, fn) },
					"soon late":   func(fn func() error) error { return l.WithTimeout(time.Millisecond, fn) },
					"with a done": func(fn func() error) error { return l.WithContext(doneContext, fn) },
				} {
					ended := false
					s.begin()
					task := l.Go(func() {
						within(func() error { s.wait(); return nil })
						ended = true
						if how == "cancelled" {
							equal(t, what+", then Sleep", l.Sleep(0), context.Canceled)
						} else {
							equal(t, what+", then Sleep", l.Sleep(0), nil)
						}
					})
					sleepUntil(t, l, what, func() bool { return s.waiting() == 1 })
					if how == "cancelled" {
						task.Cancel()
					}
					l.Sleep(5 * time.Millisecond)
					equal(t, what+" had an end, "+how, ended, false)
					s.end()
					task.Wait()
					equal(t, what+" ended, "+how, ended, true)
				}
			}
			m.Lock() // is free
		})
	})
}

var doneContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Goroutines in a bubble wait with contexts of the bubble, for tasks outside and for each other.
func TestContextInABubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			gate := ringo.NewChan[int](0)
			outside := l.Go(func() {
				for v, err := gate.Recv(); err == nil; v, err = gate.Recv() {
					gate.Send(v + 1)
				}
			})
			l.Offload(func(context.Context) error {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					for v := range 20 {
						equal(t, "SendContext", gate.SendContext(ctx, v), nil)
						got, err := gate.RecvContext(ctx)
						equal(t, "RecvContext", err, nil)
						equal(t, "value", got, v+1)
					}
					for what, make := range stations {
						s := make()
						ctx, cancel := context.WithCancel(t.Context())
						go func() {
							for s.waiting() == 0 {
								runtime.Gosched() // time stands still
							}
							cancel()
						}()
						wantCanceled(t, what, s.call(ctx))
					}
					cancel()
					wantCanceled(t, "when it is done", gate.SendContext(ctx, 1))
				})
				return nil
			})
			gate.Close()
			outside.Wait()
		})
	})
}

// telling is a context that says by itself that it is done, when fn is called.
type telling struct {
	context.Context
	fn    func()
	stop  func() bool
	stops bool // stop is in time
	err   error
}

func (c *telling) Err() error { return c.err }

func (c *telling) AfterFunc(fn func()) (stop func() bool) {
	c.fn = fn
	return c.stop
}

func (c *telling) stopped() bool { return c.stops }

// What tells of a context's end when its WithContext is over ends none that has begun since.
func TestWithContextIsToldLate(t *testing.T) {
	err := run(t, anyDriver(t), func(l *ringo.Loop) error {
		late, next := &telling{Context: context.Background()}, &telling{Context: context.Background(), stops: true}
		late.stop, next.stop = late.stopped, next.stopped
		l.WithContext(late, func() error { return nil })
		err := l.WithTimeout(time.Hour, func() error {
			late.fn()
			l.Sleep(0) // in which it comes
			return l.Sleep(0)
		})
		equal(t, "Sleep when another's was told", err, nil)
		return l.WithContext(next, func() error {
			next.err = context.Canceled
			next.fn()
			equal(t, "Sleep when it is told", l.Sleep(time.Hour), context.Canceled)
			return nil
		})
	})
	equal(t, "Run", err, nil)
}
