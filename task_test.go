package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// Neither Go nor Post runs anything before it returns, whoever calls.
func TestGoAndPostReturnFirst(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			inside := true
			check := func() {
				if inside {
					t.Error("the task runs inside the call that starts it")
				}
			}
			task := l.Go(check)
			l.Post(check)
			l.Post(func() { l.Go(check) })
			inside = false
			task.Wait()
			l.Sleep(0)
			l.Sleep(0)
			inside = true // late ones fail too
			defer func() { inside = false }()
			l.AfterFunc(-1, check)
			l.AfterFunc(0, check)
		})
	})
}

// Go and Post work from everywhere, and what they start runs on their loop.
func TestGoAndPostFromEverywhere(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, c := range []struct {
			name string
			from func(l *ringo.Loop, f func())
		}{
			{"a task", func(l *ringo.Loop, f func()) { f() }},
			{"another loop", func(l *ringo.Loop, f func()) { l.Loops()[1].Go(f).Wait() }},
			{"a post on another loop", func(l *ringo.Loop, f func()) {
				done := make(chan struct{})
				l.Loops()[1].Post(func() { f(); close(done) })
				await(t, l, "the post", done)
			}},
			{"Offload", func(l *ringo.Loop, f func()) { l.Offload(func(context.Context) error { f(); return nil }) }},
			{"a goroutine", func(l *ringo.Loop, f func()) {
				done := make(chan struct{})
				go func() { f(); close(done) }()
				await(t, l, "the goroutine", done)
			}},
		} {
			t.Run(c.name, func(t *testing.T) {
				ran := 0 // touched by the tasks of loop 0 only
				beside(t, cfg, func(l *ringo.Loop) {
					here := func() {
						if err := l.Sleep(0); err != nil {
							t.Errorf("Sleep in the task: %v", err)
						}
						ran++
					}
					var first, second *ringo.Task
					c.from(l, func() {
						first = l.Go(here)
						if err := l.Post(here); err != nil {
							t.Errorf("Post: %v", err)
						}
						second = l.Go(here)
					})
					for _, task := range []*ringo.Task{first, second} {
						if err := task.Wait(); err != nil {
							t.Errorf("Wait: %v", err)
						}
					}
					sleepUntil(t, l, "the post", func() bool { return ran == 3 })
				})
			})
		}
	})
}

func TestWaitFromEverywhere(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		const each = 20
		var joined atomic.Int64
		var end atomic.Bool
		var outside sync.WaitGroup
		beside(t, cfg, func(l *ringo.Loop) {
			begin := make(chan struct{})
			task := l.Go(func() {
				await(t, l, "all waiters", begin)
				end.Store(true)
			})
			wait := func() {
				if err := task.Wait(); err != nil || !end.Load() {
					t.Errorf("Wait: %v, when the task has ended: %v", err, end.Load())
				}
				joined.Add(1)
			}
			var tasks []*ringo.Task
			for range each {
				tasks = append(tasks, l.Go(wait), l.Loops()[1].Go(wait))
				l.Post(wait)
				outside.Go(wait)
			}
			l.Sleep(time.Millisecond)
			close(begin)
			wait()
			for _, task := range tasks {
				task.Wait()
			}
		})
		outside.Wait()
		equal(t, "joins", joined.Load(), 4*each+1)
	})
}

func TestTaskThatWaitsForItselfPanics(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var task *ringo.Task
			task = l.Go(func() {
				v := panics(func() { task.Wait() })
				if s, ok := v.(string); !ok || !strings.HasPrefix(s, "ringo: ") {
					t.Errorf("Wait for oneself: %v, want a panic of ringo's", v)
				}
			})
			if err := task.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestCancelBeforeStart(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			ran, deferred := false, false
			other := l.Go(func() { l.Sleep(time.Millisecond) })
			task := l.Go(func() {
				ran = true
				defer func() { deferred = true }()
				for name, err := range map[string]error{
					"Sleep":   l.Sleep(time.Hour),
					"Offload": l.Offload(func(context.Context) error { t.Error("Offload ran"); return nil }),
					"Compute": l.Compute(func(context.Context) error { t.Error("Compute ran"); return nil }),
					"Context": l.Context().Err(),
				} {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%s: %v, want context.Canceled", name, err)
					}
				}
				if err := other.Wait(); err != nil {
					t.Errorf("Wait, which a cancel must not touch: %v", err)
				}
			})
			task.Cancel()
			if err := task.Wait(); err != nil {
				t.Errorf("Wait for a cancelled task that returned: %v", err)
			}
			if !ran || !deferred {
				t.Errorf("ran: %v, its deferred function: %v", ran, deferred)
			}
		})
	})
}

// Cancel ends a wait, once or many times, from wherever.
func TestCancelFromEverywhere(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			other := l.Loops()[1]
			for name, from := range map[string]func(cancel func()){
				"a task":    func(cancel func()) { cancel() },
				"a loop":    func(cancel func()) { other.Go(cancel).Wait() },
				"goroutine": func(cancel func()) { l.Offload(func(context.Context) error { cancel(); return nil }) },
			} {
				task := l.Go(func() {
					for range 2 {
						if err := l.Sleep(time.Hour); err != context.Canceled {
							t.Errorf("from %s: Sleep: %v", name, err)
						}
					}
				})
				l.Sleep(0)
				from(func() { task.Cancel(); task.Cancel() })
				task.Wait()
				from(task.Cancel) // after the end
			}
		})
	})
}

func TestContextOfTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = 50 * time.Millisecond
		type key struct{}
		parent, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
		defer cancel()
		err := runContext(t, parent, cfg, func(l *ringo.Loop) error {
			var mine, child context.Context
			task := l.Go(func() {
				mine = l.Context()
				if mine != l.Context() {
					t.Error("the task's context changes")
				}
				var stop context.CancelFunc
				child, stop = context.WithTimeout(context.WithValue(mine, key{}, 2), time.Hour)
				defer stop()
				l.Sleep(time.Hour)
				if child.Err() != context.Canceled || child.Value(key{}) != 2 || mine.Value(key{}) != 1 {
					t.Errorf("a child of the cancelled task's context: %v, value %v", child.Err(), child.Value(key{}))
				}
			})
			returned := l.Go(func() { mine = l.Context() })
			returned.Wait()
			if mine.Err() != context.Canceled {
				t.Errorf("the context of a task that returned: %v", mine.Err())
			}
			if mine == l.Context() {
				t.Error("two tasks have one context")
			}
			task.Cancel()
			task.Wait()

			// The end of Run's context is the beginning of the drain, no more.
			cancel()
			drained(t, l)
			if err := l.Context().Err(); err != nil {
				t.Errorf("during the drain: %v", err)
			}
			ended := l.Context().Done()
			l.Offload(func(context.Context) error { receive(t, "the end of Grace", ended); return nil })
			return l.Context().Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A posted function's context is its own, and its cancel does not reach the next.
func TestContextOfPost(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var seen []context.Context
			for range 10 {
				l.Post(func() {
					if err := l.Context().Err(); err != nil {
						t.Errorf("a fresh context: %v", err)
					}
					for _, ctx := range seen {
						if ctx == l.Context() || ctx.Err() == nil {
							t.Error("the context of a post that ended is in use")
						}
					}
					seen = append(seen, l.Context())
				})
			}
		})
	})
}

func TestGroup(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			g := ringo.NewGroup(l)
			if err := g.Wait(); err != nil {
				t.Errorf("an empty group: %v", err)
			}
			sum := 0
			for i := range 100 {
				g.Go(func() error {
					l.Sleep(time.Duration(i%7) * time.Millisecond)
					g.Go(func() error { sum += i; return nil }) // also while the group is waited for
					return nil
				})
			}
			equal(t, "before Wait", sum, 0)
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			equal(t, "after Wait", sum, 99*100/2)
			g.Go(func() error { return io.EOF })
			equal(t, "used again", g.Wait(), io.EOF)
			equal(t, "and asked again", g.Wait(), io.EOF)
		})
	})
}

// However a task fails, the others are cancelled at once, in whatever order they
// were started.
func TestGroupFailure(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		for _, c := range []struct {
			name string
			fail func() error
			ok   func(err error) bool
		}{
			{"error", func() error { return io.EOF }, func(err error) bool { return err == io.EOF }},
			{"Goexit", func() error {
				runtime.Goexit()
				return nil
			}, func(err error) bool { return err == ringo.ErrGoexit }},
			{"panic", func() error { panic(io.EOF) }, func(err error) bool {
				p := (*ringo.PanicError)(nil)
				return errors.As(err, &p) && errors.Is(err, io.EOF)
			}},
		} {
			t.Run(c.name, func(t *testing.T) {
				mustRun(t, cfg, func(l *ringo.Loop) {
					g := ringo.NewGroup(l)
					cancelled := 0
					sleeper := func() error {
						err := l.Sleep(time.Hour)
						if err == context.Canceled {
							cancelled++
						}
						return fmt.Errorf("a later error: %w", err)
					}
					g.Go(sleeper)
					g.Go(func() error { l.Sleep(time.Millisecond); return c.fail() })
					g.Go(sleeper)
					if err := g.Wait(); !c.ok(err) {
						t.Errorf("Wait: %v", err)
					}
					equal(t, "cancelled tasks", cancelled, 2)
					g.Go(sleeper) // too late for anything but to end
					g.Wait()
					equal(t, "cancelled tasks with a late one", cancelled, 3)
				})
			})
		}
	})
}

// Never do more tasks run than the limit allows, Go waits for room and TryGo does not, and all run in the end.
func TestGroupLimit(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			g := ringo.NewGroup(l)
			g.SetLimit(3)
			now, most, ran := 0, 0, 0
			work := func() error {
				now++
				most = max(most, now)
				l.Sleep(time.Duration(ran%3) * 100 * time.Microsecond)
				now--
				ran++
				return nil
			}
			var starters []*ringo.Task
			for range 4 { // who start tasks at the same time
				starters = append(starters, l.Go(func() {
					for range 10 {
						g.Go(work)
					}
				}))
			}
			starters[0].Cancel() // it waits for room all the same
			l.Sleep(0)
			for _, s := range starters {
				s.Wait()
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			equal(t, "tasks at once", most, 3)
			equal(t, "tasks", ran, 40)

			gate := ringo.NewChan[int](0)
			held := func() error { _, err := gate.Recv(); return err }
			for range 3 {
				equal(t, "TryGo with room", g.TryGo(held), true)
			}
			equal(t, "TryGo without", g.TryGo(held), false)
			equal(t, "SetLimit", panics(func() { g.SetLimit(5) }),
				any("ringo: Group.SetLimit while 3 tasks run"))
			begun := false
			waits := l.Go(func() { g.Go(func() error { return io.EOF }); begun = true })
			l.Sleep(0)
			equal(t, "Go without room has returned", begun, false)
			gate.Send(1) // one ends, and its place is not to be had by others
			for !begun {
				if g.TryGo(held) {
					t.Fatal("TryGo took the place of one who waits")
				}
				l.Sleep(0)
			}
			waits.Wait()
			equal(t, "Wait", g.Wait(), io.EOF)
		})
	})
}

// With a limit of nothing nothing runs, and a negative one is none.
func TestGroupOddLimits(t *testing.T) {
	mustRun(t, anyDriver(t), func(l *ringo.Loop) {
		g := ringo.NewGroup(l)
		g.SetLimit(0)
		fn := func() error { return nil }
		equal(t, "TryGo", g.TryGo(fn), false)
		equal(t, "Go", panics(func() { g.Go(fn) }), any("ringo: Group.Go with a limit of 0 tasks"))
		g.SetLimit(-1)
		for range 100 {
			equal(t, "TryGo", g.TryGo(fn), true)
		}
		equal(t, "Wait", g.Wait(), nil)
	})
}

// The tasks of a group end with its context, and the context with the first of them that fails, or with Wait.
func TestGroupWithContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			mine := errors.New("mine")
			type key struct{}
			outer, cancel := context.WithCancelCause(context.WithValue(l.Context(), key{}, "value"))
			g, ctx := ringo.GroupWithContext(outer, l)
			ended := 0
			for range 3 {
				g.Go(func() error {
					equal(t, "value", l.Context().Value(key{}), any("value"))
					err := l.Sleep(time.Hour)
					if !errors.Is(err, mine) || !errors.Is(err, context.Canceled) {
						t.Errorf("Sleep when the context has ended: %v", err)
					}
					ended++
					return err
				})
			}
			l.Sleep(0)
			cancel(mine)
			if err := g.Wait(); !errors.Is(err, mine) {
				t.Errorf("Wait: %v", err)
			}
			equal(t, "tasks that have ended", ended, 3)
			equal(t, "the context", ctx.Err(), context.Canceled)

			g, ctx = ringo.GroupWithContext(t.Context(), l)
			g.Go(func() error { return l.Offload(wait) })
			g.Go(func() error { l.Sleep(time.Millisecond); return io.EOF })
			equal(t, "Wait", g.Wait(), io.EOF)
			equal(t, "why the context has ended", context.Cause(ctx), io.EOF)

			g, ctx = ringo.GroupWithContext(t.Context(), l)
			g.Go(func() error { return ctx.Err() })
			equal(t, "Wait of what succeeds", g.Wait(), nil)
			equal(t, "the context behind Wait", ctx.Err(), context.Canceled)

			late, stop := context.WithTimeout(t.Context(), time.Millisecond)
			defer stop()
			g, _ = ringo.GroupWithContext(late, l)
			g.Go(func() error { return l.Sleep(time.Hour) })
			wantTimeout(t, "Wait behind a deadline", g.Wait())
		})
	})
}

// countdown yields n to 1, waiting on the loop before each.
func countdown(t *testing.T, l *ringo.Loop, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; n > 0; n-- {
			if err := l.Sleep(100 * time.Microsecond); err != nil {
				t.Errorf("Sleep in an iterator: %v", err)
			}
			if !yield(n) {
				return
			}
		}
	}
}

// doubled pulls from another iterator, and waits itself.
func doubled(l *ringo.Loop, seq iter.Seq[int]) iter.Seq[int] {
	return func(yield func(int) bool) {
		next, stop := iter.Pull(seq)
		defer stop()
		for v, ok := next(); ok; v, ok = next() {
			l.Sleep(0)
			if !yield(2 * v) {
				return
			}
		}
	}
}

// An iterator that a task pulls is a coroutine of its own, and what it calls of
// Ringo is the task's.
func TestIterators(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			pull := func(seq iter.Seq[int]) (got []int) {
				next, stop := iter.Pull(seq)
				defer stop()
				for v, ok := next(); ok; v, ok = next() {
					got = append(got, v)
				}
				return got
			}
			for range 3 { // tasks whose iterators wait at the same time
				l.Go(func() { equalList(t, "one level", pull(countdown(t, l, 5)), []int{5, 4, 3, 2, 1}) })
				l.Go(func() { equalList(t, "two levels", pull(doubled(l, countdown(t, l, 3))), []int{6, 4, 2}) })
				l.Go(func() {
					equalList(t, "three levels", pull(doubled(l, doubled(l, countdown(t, l, 2)))), []int{8, 4})
				})
				l.Post(func() { equalList(t, "in a post", pull(countdown(t, l, 2)), []int{2, 1}) })
			}
		})
	})
}

// An iterator may be made in one turn and resumed in another, stopped half-way,
// and handed to another task of the loop.
func TestIteratorOutlivesItsTurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			cleaned := false
			next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) {
				defer func() { l.Sleep(0); cleaned = true }()
				for v := range countdown(t, l, 10) {
					if !yield(v) {
						return
					}
				}
			}))
			take := func(want int) {
				if v, ok := next(); !ok || v != want {
					t.Errorf("%d, %v, want %d", v, ok, want)
				}
			}
			l.Sleep(time.Millisecond)
			take(10)
			l.Sleep(time.Millisecond)
			l.Go(func() { take(9) }).Wait()
			l.AfterFunc(0, func() { take(8) })
			l.Sleep(time.Millisecond)
			sleepUntil(t, l, "the timer's function", func() bool { return l.Stats().Tasks == 1 })
			take(7)
			l.Go(stop).Wait()
			if !cleaned {
				t.Error("the iterator's deferred function did not run")
			}
			if _, ok := next(); ok {
				t.Error("a value after stop")
			}
		})
	})
}

// Every method of a task works from within an iterator, and a cancel reaches it.
func TestMethodsInIterator(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var task *ringo.Task
			task = l.Go(func() {
				outer := l.Context()
				iterator(func() {
					iterator(func() {
						if l.Context() != outer || l.Now().IsZero() {
							t.Error("the iterator's context is not the task's")
						}
						if l.Go(func() { l.Sleep(0) }).Wait() != nil || l.Sleep(0) != nil {
							t.Error("Go, Wait or Sleep")
						}
						if err := l.Offload(func(context.Context) error { return nil }); err != nil {
							t.Errorf("Offload: %v", err)
						}
						g := ringo.NewGroup(l)
						g.Go(func() error { return l.Sleep(0) })
						if err := g.Wait(); err != nil {
							t.Errorf("Group: %v", err)
						}
						if timer := l.AfterFunc(time.Hour, func() {}); !timer.Reset(time.Minute) || !timer.Stop() {
							t.Error("Timer")
						}
						if l.Stats().Tasks == 0 {
							t.Error("Stats")
						}
						if panics(func() { task.Wait() }) == nil {
							t.Error("the task waits for itself")
						}
						l.Post(task.Cancel)
						if err := l.Sleep(time.Hour); err != context.Canceled {
							t.Errorf("Sleep: %v", err)
						}
					})
				})
			})
			if err := task.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}

// These tests share plain variables between loops and goroutines, with nothing but
// Ringo to order the accesses. Under -race each missing edge is a report.

func TestOrderByPost(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		const rounds = 3000
		count := 0 // goes round the loops with a post
		beside(t, cfg, func(l *ringo.Loop) {
			done := make(chan struct{})
			var pass func(at *ringo.Loop)
			pass = func(at *ringo.Loop) {
				count++
				if count == rounds {
					close(done)
					return
				}
				next := at.Loops()[(at.Index()+1)%3]
				if err := next.Post(func() { pass(next) }); err != nil {
					t.Error(err)
				}
			}
			pass(l)
			await(t, l, "the last post", done)
		})
		equal(t, "count", count, rounds)
	})
}

func TestOrderByGoAndWait(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			other := l.Loops()[1]
			value := 0
			for i := range 500 {
				value = i
				task := other.Go(func() {
					if value != i {
						t.Errorf("the task sees %d, want %d", value, i)
					}
					value = -i
				})
				task.Wait()
				if value != -i {
					t.Errorf("after Wait: %d, want %d", value, -i)
				}
			}
			// Several that wait for one, on different threads.
			task := other.Go(func() { other.Sleep(time.Millisecond); value = 1000 })
			check := func() {
				if task.Wait(); value != 1000 {
					t.Error("a waiter does not see what the task wrote")
				}
			}
			var outside sync.WaitGroup
			outside.Go(check)
			second := other.Go(check)
			check()
			second.Wait()
			l.Offload(func(context.Context) error { outside.Wait(); return nil })
		})
	})
}

func TestOrderByOffload(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			value := 0
			for i := range 500 {
				value++
				l.Offload(func(context.Context) error { value += i; return nil })
				l.Compute(func(context.Context) error { value -= i; return nil })
			}
			equal(t, "value", value, 500)
		})
	})
}

// Tasks of one loop need no order but that of the loop: they are one thread.
func TestOrderWithinALoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		value := 0
		fnReturned := false
		mustRun(t, cfg, func(l *ringo.Loop) {
			step := func() { value++ }
			for range 100 {
				l.Go(func() {
					step()
					l.Sleep(0)
					step()
					l.AfterFunc(0, step)
					l.Post(step)
					iterator(func() { l.Sleep(0); step() })
				})
			}
			sleepUntil(t, l, "all steps", func() bool { return value == 500 })
			fnReturned = true
		})
		if !fnReturned || value != 500 { // Run's return is after everything
			t.Error("not seen after Run")
		}
	})
}

// The first task sees what was before Run, and what a cancel says was before it.
func TestOrderByRunAndCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before, reason := 1, 0
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			equal(t, "before Run", before, 1)
			task := l.Loops()[1].Go(func() {
				if l.Loops()[1].Sleep(time.Hour); reason != 7 {
					t.Error("a cancelled task does not see what was before the cancel")
				}
			})
			l.Sleep(time.Millisecond)
			reason = 7
			task.Cancel()
			task.Wait()
		})
	})
}

// The posts of one sender start in order, whatever the others do.
func TestPostOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const senders, each = 8, 5000
		var next [senders + 1]int // by sender; touched by the loop's tasks only
		wrong := 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			send := func(sender int) {
				for i := range each {
					if err := l.Post(func() {
						if next[sender] != i {
							wrong++
						}
						next[sender]++
					}); err != nil {
						t.Error(err)
					}
					if i%100 == 0 {
						runtime.Gosched()
					}
				}
			}
			l.Go(func() { send(senders) }) // the loop's own
			l.Offload(func(context.Context) error {
				var wg sync.WaitGroup
				for sender := range senders {
					wg.Go(func() { send(sender) })
				}
				wg.Wait()
				return nil
			})
		})
		if wrong > 0 {
			t.Errorf("%d posts out of order", wrong)
		}
		for sender, n := range next {
			if n != each {
				t.Errorf("%d of %d posts of sender %d ran", n, each, sender)
			}
		}
	})
}

// What was accepted runs, also if the loop has nothing else to live for.
func TestAcceptedPostsRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		depth := 0
		mustRun(t, cfg, func(l *ringo.Loop) {
			var again func()
			again = func() {
				if depth++; depth < 1000 {
					if err := l.Post(again); err != nil {
						t.Error(err)
					}
				}
			}
			l.Post(again)
		})
		equal(t, "posts that ran, each made by the last", depth, 1000)
	})
}

// Also if it was accepted at the very end.
func TestPostsAtTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 1
		for round := range 200 {
			var accepted, ran atomic.Int64
			loops, done := make(chan *ringo.Loop, 1), make(chan struct{})
			go func() {
				defer close(done)
				for l, n := <-loops, 1; l.Post(func() { ran.Add(1) }) == nil; n++ {
					accepted.Add(1)
					for range n * (100 + round) { // slower and slower, until the loop runs dry
						runtime.KeepAlive(l)
					}
				}
			}()
			mustRun(t, cfg, func(l *ringo.Loop) { loops <- l })
			<-done
			if accepted.Load() != ran.Load() {
				t.Fatalf("round %d: %d posts accepted, %d ran", round, accepted.Load(), ran.Load())
			}
		}
	})
}

// The Task that Current gives is that of one task, whatever has started it: it ends with it, and a Cancel that comes
// later concerns nobody else.
func TestCurrentIsOneTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		store := ringo.NewSharded(func(l *ringo.Loop) (int, error) { return l.Index(), nil })
		cfg.Start = store.Start
		values := context.WithValue(context.Background(), valueKey("a"), 1)
		for name, start := range map[string]func(l *ringo.Loop, f func()){
			"Go":                     func(l *ringo.Loop, f func()) { l.Go(f) },
			"Post":                   func(l *ringo.Loop, f func()) { l.Post(f) },
			"Post from another loop": func(l *ringo.Loop, f func()) { l.Loops()[1].Go(func() { l.Post(f) }) },
			"Post with values": func(l *ringo.Loop, f func()) {
				l.WithContext(values, func() error { return l.Post(f) })
			},
			"AfterFunc": func(l *ringo.Loop, f func()) { l.AfterFunc(0, f) },
			"Shard.Call": func(l *ringo.Loop, f func()) {
				l.Loops()[1].Go(func() { store.At(0).Call(func(int) error { f(); return nil }) })
			},
		} {
			t.Run(name, func(t *testing.T) {
				beside(t, cfg, func(l *ringo.Loop) {
					// ran runs f so, and gives its Task, which has ended.
					ran := func(f func()) (task *ringo.Task) {
						ended := false
						start(l, func() {
							defer func() { ended = true }()
							if _, task = ringo.Current(); f != nil {
								f()
							}
						})
						sleepUntil(t, l, "the end of a task", func() bool { return ended })
						l.Yield() // behind the end of what has called it
						return task
					}
					first := ran(nil)
					var during error
					second := ran(func() {
						l.Offload(func(context.Context) error { first.Cancel(); return nil })
						first.Cancel()
						during = l.Sleep(0)
					})
					if first == second {
						t.Fatal("two tasks have the same Task")
					}
					if during != nil {
						t.Errorf("a Cancel of a task that has ended: Sleep in the next one returns %v", during)
					}
					exits := ran(func() { runtime.Goexit() })
					for task, want := range map[*ringo.Task]error{first: nil, second: nil, exits: ringo.ErrGoexit} {
						ended := make(chan error, 1)
						go func() { ended <- task.Wait() }()
						if err := await(t, l, "Wait", ended); err != want {
							t.Errorf("Wait returns %v, want %v", err, want)
						}
					}

					var itself *ringo.Task
					begun, goOn := false, false
					start(l, func() {
						_, itself = ringo.Current()
						for begun = true; !goOn; l.Yield() {
						}
					})
					sleepUntil(t, l, "the begin of a task", func() bool { return begun })
					joined := l.Go(func() {
						if err := itself.Wait(); err != nil || !goOn {
							t.Errorf("Wait returns %v, before the end: %v", err, !goOn)
						}
					})
					l.Yield()
					goOn = true
					joined.Wait()
				})
			})
		}
	})
}

// Current finds the running task from anywhere in it, and nothing elsewhere.
func TestCurrent(t *testing.T) {
	nowhere := func(where string) {
		if l, task := ringo.Current(); l != nil || task != nil {
			t.Errorf("%s: Current is loop %p, task %p", where, l, task)
		}
	}
	nowhere("without loops")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(first *ringo.Loop) {
			for _, l := range first.Loops() {
				var mine *ringo.Task
				here := func(where string) {
					if got, task := ringo.Current(); got != l || task == nil || mine != nil && task != mine {
						t.Errorf("%s: Current is loop %p, task %p, want %p, %p", where, got, task, l, mine)
					}
				}
				task := l.Go(func() {
					l.Sleep(0)
					_, mine = ringo.Current()
					here("in a task")
					for range iter.Seq[int](func(yield func(int) bool) { here("in an iterator"); yield(1) }) {
						here("in a loop over it")
					}
					next, stop := iter.Pull(func(yield func(int) bool) { here("in a coroutine"); yield(1) })
					next()
					stop()
					l.Offload(func(context.Context) error { nowhere("in Offload"); return nil })
					here("behind it")
				})
				task.Wait()
				if mine != task {
					t.Errorf("in a task: Current is task %p, want %p", mine, task)
				}
				mine = nil // others follow
				posted := make(chan struct{})
				l.Post(func() { here("in Post"); close(posted) })
				await(t, first, "the post", posted)
				timer := make(chan struct{})
				l.Go(func() { l.AfterFunc(0, func() { here("in AfterFunc"); close(timer) }) })
				await(t, first, "the timer", timer)
			}
		})
	})
	nowhere("once loops have ended")
}
