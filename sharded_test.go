package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/alloctest"
)

// counter is a shard of a test: only its loop's tasks touch it, which the race detector sees to.
type counter struct {
	l    *ringo.Loop
	n    int
	seen []int
}

func counters() *ringo.Sharded[*counter] {
	return ringo.NewSharded(func(l *ringo.Loop) (*counter, error) { return &counter{l: l}, nil })
}

// sharded runs fn on loop 0 of a Run with counters, whose other loops have no task of their own.
func sharded(t *testing.T, cfg ringo.Config, fn func(l *ringo.Loop, s *ringo.Sharded[*counter])) {
	t.Helper()
	s := counters()
	cfg.Start = s.Start
	mustRun(t, cfg, func(l *ringo.Loop) {
		if l.Index() == 0 {
			fn(l, s)
		}
	})
}

// shardOf is the shard of a loop.
func shardOf(s *ringo.Sharded[*counter], i int) *ringo.Shard[*counter] { return s.At(uint64(i)) }

// Every value is made once, on its loop, before anybody uses one: by Config.Start, or where Run's function calls Start.
func TestShardedStart(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		for _, hook := range []bool{true, false} {
			var made, began atomic.Int32
			s := ringo.NewSharded(func(l *ringo.Loop) (*counter, error) {
				at, _ := ringo.Current()
				equal(t, "the loop that makes", at, l)
				l.Sleep(time.Duration(l.Index()) * time.Millisecond) // the last is late
				made.Add(1)
				return &counter{l: l}, nil
			})
			cfg.Start = nil
			if hook {
				cfg.Start = func(l *ringo.Loop) error {
					began.Add(1)
					return s.Start(l)
				}
			}
			mustRun(t, cfg, func(l *ringo.Loop) {
				if !hook {
					equal(t, "Start", s.Start(l), nil)
					began.Add(1)
				}
				equal(t, "values when one may be used", made.Load(), 3)
				equal(t, "Local's loop", s.Local().l, l)
				equal(t, "At's loop", shardOf(s, l.Index()).Loop(), l)
				if err := s.Start(l); err == nil || !strings.Contains(err.Error(), "before") {
					t.Errorf("a second Start: %v", err)
				}
			})
			equal(t, "calls of Start", began.Load(), 3)
		}
	})
}

// What goes wrong in one loop's Start is Run's error, and no function of Run's begins.
func TestShardedStartFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		broken := errors.New("no disk")
		s := ringo.NewSharded(func(l *ringo.Loop) (int, error) {
			if l.Index() == 1 {
				return 0, broken
			}
			return l.Index(), nil
		})
		cfg.Start = s.Start
		err := run(t, cfg, func(*ringo.Loop) error { t.Error("a function of Run's has begun"); return nil })
		equal(t, "Run", err, broken)
	})
}

// A value that can't be made is the error of all loops' Start, also where the functions deal with it themselves.
func TestShardedStartFailsForAll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		broken := errors.New("no disk")
		s := ringo.NewSharded(func(l *ringo.Loop) (int, error) {
			if l.Index() == 1 {
				l.Sleep(time.Millisecond) // the others wait for it
				return 0, broken
			}
			return 0, nil
		})
		mustRun(t, cfg, func(l *ringo.Loop) {
			equal(t, "Start", s.Start(l), broken)
			if err := s.Start(l); err == nil || err == broken {
				t.Errorf("another Start: %v", err)
			}
		})
	})
}

// A batch is not to be added to while it is under way: what it has then is its loops'.
func TestBatchAddDuringCall(t *testing.T) {
	cfg := anyDriver(t)
	cfg.Loops = 2
	sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
		b := s.Batch()
		b.Add(shardOf(s, 0), func(*counter) {
			why := panics(func() { b.Add(shardOf(s, 1), func(*counter) {}) })
			equal(t, "Add", why, any("ringo: Batch.Add during a Call"))
		})
		equal(t, "Call", b.Call(), nil)
		b.Add(shardOf(s, 1), func(*counter) {})
		equal(t, "the next Call", b.Call(), nil)
	})
}

// A Sharded is one Run's at a time, and another's when that has ended.
func TestShardedRuns(t *testing.T) {
	cfg := anyDriver(t)
	cfg.Loops = 2
	s := counters()
	for _, use := range []func(){
		func() { s.At(0) }, func() { s.Local() }, func() { s.Each(func(*counter) error { return nil }) },
	} {
		if v := fmt.Sprint(panics(use)); !strings.Contains(v, "before Start has returned") {
			t.Errorf("before Start: %s", v)
		}
	}
	cfg.Start = s.Start
	var old *ringo.Shard[*counter]
	for round := range 3 {
		mustRun(t, cfg, func(l *ringo.Loop) {
			if l.Index() == 0 {
				old = s.At(1)
				another := start(context.Background(), cfg, func(*ringo.Loop) error { return nil })
				err := await(t, l, "another Run", another)
				if err == nil || !strings.Contains(err.Error(), "another Run") {
					t.Errorf("a second Run, round %d: %v", round, err)
				}
			}
		})
		if v := panics(func() { s.Local() }); v != "ringo: Sharded.Local from outside the loops' tasks" {
			t.Errorf("Local on a goroutine: %v", v)
		}
		equal(t, "Call behind the end", old.Call(func(*counter) error { return nil }), ringo.ErrEnded)
	}
}

// Tasks of all loops and goroutines count in all shards without a lock.
func TestShardedCalls(t *testing.T) {
	const callers, rounds = 4, 50
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		s := counters()
		cfg.Start = s.Start
		odd := errors.New("odd")
		count := func(from int) {
			for i := range rounds {
				err := s.At(uint64(from + i)).Call(func(c *counter) error {
					if l, _ := ringo.Current(); l != c.l {
						t.Error("a call on another loop")
					}
					if c.n++; i%2 == 1 {
						return odd
					}
					return nil
				})
				if (i%2 == 1) != (err == odd) {
					t.Errorf("call %d: %v", i, err)
				}
			}
		}
		var total atomic.Int64
		mustRun(t, cfg, func(l *ringo.Loop) {
			var all ringo.WaitGroup
			for i := range callers {
				all.Go(func() { count(i) })
			}
			l.Offload(func(context.Context) error { count(l.Index()); return nil })
			all.Wait()
			total.Add((callers + 1) * rounds)
			if l.Index() > 0 {
				return
			}
			// The others may still count: what Reduce gives grows until it is all.
			sleepUntil(t, l, "all counts", func() bool {
				sum, err := ringo.Reduce(s, func(c *counter) (int, error) { return c.n, nil },
					func(a, b int) int { return a + b })
				return err != nil || sum == 3*(callers+1)*rounds
			})
		})
		equal(t, "calls", total.Load(), 3*(callers+1)*rounds)
	})
}

// Reduce merges in the order of the loops; an error of one is told, and no sum is given.
func TestShardedReduce(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			index := func(c *counter) (string, error) { return fmt.Sprint(c.l.Index()), nil }
			join := func(a, b string) string { return a + b }
			got, err := ringo.Reduce(s, index, join)
			equal(t, "Reduce's error", err, nil)
			equal(t, "Reduce", got, "012")
			one, two := errors.New("one"), errors.New("two")
			fails := func(c *counter) (string, error) { return "x", []error{nil, one, two}[c.l.Index()] }
			got, err = ringo.Reduce(s, fails, join)
			if got != "" || !errors.Is(err, one) || !errors.Is(err, two) {
				t.Errorf("Reduce of two errors: %q, %v", got, err)
			}
			err = s.Each(func(c *counter) error { return []error{two, nil, one}[c.l.Index()] })
			if !errors.Is(err, one) || !errors.Is(err, two) {
				t.Errorf("Each of two errors: %v", err)
			}
			equal(t, "Each", s.Each(func(c *counter) error { c.n = 7; return nil }), nil)
			for i := range 3 {
				shardOf(s, i).Call(func(c *counter) error { equal(t, "a shard's n", c.n, 7); return nil })
			}
		})
	})
}

// The functions of a batch run in their order on each loop, also where they park, and it can be used again.
func TestBatchOrder(t *testing.T) {
	const each = 8
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			b := s.Batch()
			equal(t, "Call of none", b.Call(), nil)
			play := func(who string) {
				for round := range 3 {
					for i := range each * 3 {
						b.Add(shardOf(s, i), func(c *counter) {
							if i%5 == 0 {
								c.l.Sleep(time.Microsecond)
							}
							c.seen = append(c.seen, i)
						})
					}
					equal(t, who+" Call", b.Call(), nil)
					for i := range 3 {
						var want []int
						for k := range each {
							want = append(want, i+3*k)
						}
						shardOf(s, i).Call(func(c *counter) error {
							equalList(t, fmt.Sprintf("%s round %d, loop %d", who, round, i), c.seen, want)
							c.seen = nil
							return nil
						})
					}
				}
			}
			play("a task's")
			l.Offload(func(context.Context) error { play("a goroutine's"); return nil })
		})
	})
}

// However many functions a batch has, it is one message to a loop and one back.
func TestBatchTravels(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			b, other := s.Batch(), l.Loops()[1]
			// What the loops have from others, at least: Stats asks by a message, too, and there may be more.
			mails := func(fn func()) (here, there uint64) {
				here, there = 1<<60, 1<<60
				for range 5 {
					beforeHere, beforeThere := l.Stats().Mails, other.Stats().Mails
					fn()
					here, there = min(here, l.Stats().Mails-beforeHere), min(there, other.Stats().Mails-beforeThere)
				}
				return here, there
			}
			noneHere, noneThere := mails(func() {})
			here, there := mails(func() {
				for range 100 {
					b.Add(shardOf(s, 1), func(c *counter) { c.n++ })
					b.Add(shardOf(s, 0), func(c *counter) { c.n++ })
				}
				equal(t, "Call", b.Call(), nil)
			})
			equal(t, "messages to the other loop", there-noneThere, 1)
			if here > noneHere+1 { // none, if all had run before the caller was done with its own
				t.Errorf("messages back: %d", here-noneHere)
			}
			shardOf(s, 1).Call(func(c *counter) error { equal(t, "calls", c.n, 500); return nil })
		})
	})
}

// Loops without a task are there for the others, and end when none has one; also during the drain.
func TestShardedEndsTogether(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		cfg.Grace = limit
		s := counters()
		cfg.Start = s.Start
		ctx, end := context.WithCancel(context.Background())
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			if l.Index() != 1 {
				return nil // and is there all the same
			}
			end()
			l.Sleep(20 * time.Millisecond) // the others have long had nothing to do
			for i := range 300 {
				if err := shardOf(s, i).Call(func(c *counter) error { c.n++; return nil }); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
			// What another loop starts for itself is waited for, too.
			shardOf(s, 2).Call(func(c *counter) error {
				c.l.Go(func() {
					c.l.Sleep(5 * time.Millisecond)
					equal(t, "a call by the last task", shardOf(s, 0).Call(func(c *counter) error { return nil }), nil)
				})
				return nil
			})
			return nil
		})
		equal(t, "Run", err, nil)
	})
}

// Loops that ask each other for a last time all end, whatever the moment.
func TestShardedEndings(t *testing.T) {
	cfg := anyDriver(t)
	cfg.Loops = 4
	for round := range 60 {
		s := counters()
		cfg.Start = s.Start
		mustRun(t, cfg, func(l *ringo.Loop) {
			for i := range (l.Index() + round) % 5 {
				if err := shardOf(s, l.Index()+i+round).Call(func(c *counter) error { c.n++; return nil }); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
		})
	}
}

// A function that panics or ends its task by Goexit is told of; those behind it run, and the loop goes on.
func TestBatchBrokenFunctions(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		var told atomic.Int32
		cfg.OnPanic = func(_ *ringo.Loop, v any, _ []byte) { told.Add(1) }
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			b := s.Batch()
			var ran atomic.Int32
			add := func(fns ...func(*counter)) {
				for _, fn := range fns {
					b.Add(shardOf(s, 1), fn)
				}
			}
			runs := func(*counter) { ran.Add(1) }
			add(runs, func(*counter) { panic("one") }, runs, runs, func(*counter) { panic("two") }, runs)
			var p *ringo.PanicError
			if err := b.Call(); !errors.As(err, &p) || !strings.Contains(string(p.Stack), "TestBatchBrokenFunctions") {
				t.Errorf("Call of two that panic: %v", err)
			}
			equal(t, "others that ran", ran.Load(), 4)
			add(runs, func(*counter) { runtime.Goexit() }, runs)
			equal(t, "Call of one that calls Goexit", b.Call(), ringo.ErrGoexit)
			equal(t, "others that ran", ran.Load(), 6)
			equal(t, "Call of Goexit", shardOf(s, 1).Call(func(*counter) error { runtime.Goexit(); return nil }),
				ringo.ErrGoexit)
			add(runs)
			equal(t, "Call of a good one", b.Call(), nil)
			sleepUntil(t, l, "OnPanic's calls", func() bool { return told.Load() == 2 })
		})
	})
}

// A caller whose own function panics has waited for the others', which may use what is its.
func TestBatchOwnPanic(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			b := s.Batch()
			over := false
			b.Add(shardOf(s, 0), func(*counter) { panic("own") })
			b.Add(shardOf(s, 1), func(c *counter) { c.l.Sleep(2 * time.Millisecond); over = true })
			equal(t, "Call", panics(func() { b.Call() }), any("own"))
			equal(t, "the other's function had ended", over, true)
			b.Add(shardOf(s, 1), func(*counter) {})
			equal(t, "the next Call", b.Call(), nil)
		})
	})
}

// What a caller's own function ends it with goes on when all have run, those behind it too.
func TestBatchOwnEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			b, ran := s.Batch(), 0
			runs := func(c *counter) { c.l.Yield(); ran++ }
			for i, end := range []func(*counter){func(*counter) { panic("own") }, func(*counter) { runtime.Goexit() }} {
				var why any
				task := l.Go(func() {
					defer func() { why = recover() }()
					for _, fn := range []func(*counter){runs, end, runs, end, runs} {
						b.Add(shardOf(s, 0), fn)
					}
					b.Call()
					t.Error("Call has returned")
				})
				equal(t, "how the task ended", task.Wait(), []error{nil, ringo.ErrGoexit}[i])
				equal(t, "the panic", why, []any{"own", nil}[i])
				equal(t, "functions that ran", ran, 3*(i+1))
			}
		})
	})
}

// A caller that is cancelled waits for its functions all the same.
func TestBatchCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			var began, over atomic.Bool
			asks := l.Go(func() {
				err := shardOf(s, 1).Call(func(c *counter) error {
					began.Store(true)
					for !over.Load() {
						c.l.Yield()
					}
					return nil
				})
				equal(t, "Call of who was cancelled", err, nil)
				equal(t, "over", over.Load(), true)
			})
			sleepUntil(t, l, "the call", began.Load)
			asks.Cancel()
			l.Yield()
			l.Yield()
			over.Store(true)
			asks.Wait()
		})
	})
}

// Calls and their answers make no garbage.
func TestBatchAllocs(t *testing.T) {
	skipUnderRace(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
			b := s.Batch()
			count := func(c *counter) { c.n++ }
			round := func() {
				for i := range 8 {
					b.Add(shardOf(s, i), count)
				}
				if err := b.Call(); err != nil {
					t.Error(err)
				}
			}
			for range 200 {
				round()
			}
			if n := alloctest.Least(200, 0.1, round); n > 0.1 {
				t.Errorf("%v allocations", n)
			}
		})
	})
}

// Shards of different Sharded don't mix, nor do nil ones do harm.
func TestShardedMistakes(t *testing.T) {
	cfg := anyDriver(t)
	other := counters()
	sharded(t, cfg, func(l *ringo.Loop, s *ringo.Sharded[*counter]) {
		if err := other.Start(l); err != nil {
			t.Error(err)
		}
		if panics(func() { other.Batch().Add(s.At(0), func(*counter) {}) }) == nil {
			t.Error("Add of a shard of another Sharded did not panic")
		}
		for name, use := range map[string]func(){
			"NewSharded": func() { ringo.NewSharded[int](nil) }, "Each": func() { s.Each(nil) },
			"Call": func() { s.At(0).Call(nil) }, "Add": func() { s.Batch().Add(s.At(0), nil) },
		} {
			if v := fmt.Sprint(panics(use)); !strings.Contains(v, "nil function") {
				t.Errorf("%s of nil: %s", name, v)
			}
		}
	})
}

// Config.Start's error ends the Run, and a panic in it is as one in the loop's function.
func TestConfigStart(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		var mu sync.Mutex
		var order []string
		note := func(what string) { mu.Lock(); order = append(order, what); mu.Unlock() }
		cfg.Start = func(l *ringo.Loop) error {
			l.Sleep(time.Duration(l.Index()) * 2 * time.Millisecond)
			note("start")
			return nil
		}
		mustRun(t, cfg, func(*ringo.Loop) { note("fn") })
		equalList(t, "order", order, []string{"start", "start", "fn", "fn"})
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		cfg.Start = func(l *ringo.Loop) error {
			if l.Index() == 1 {
				panic("no")
			}
			return nil
		}
		var p *ringo.PanicError
		err := run(t, cfg, func(*ringo.Loop) error { t.Error("a function of Run's has begun"); return nil })
		if !errors.As(err, &p) {
			t.Errorf("Run: %v", err)
		}
	})
}
