package ringo_test

import (
	"context"
	"errors"
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

// A join is not broken off by a cancel of the one who waits.
func TestWaitIsShieldedFromCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			ended := false
			slow := l.Go(func() { l.Sleep(20 * time.Millisecond); ended = true })
			waiter := l.Go(func() {
				if err := slow.Wait(); err != nil || !ended {
					t.Errorf("Wait: %v, ended: %v", err, ended)
				}
				if err := l.Sleep(0); !errors.Is(err, context.Canceled) {
					t.Errorf("the next wait: %v, want context.Canceled", err)
				}
			})
			l.Sleep(time.Millisecond)
			waiter.Cancel()
			waiter.Wait()
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
