package ringo_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"ringo"
)

// callers runs f as somebody: a task of loop 0, one of loop 1, or a goroutine, in
// turn. done ends when all have.
func callers(l *ringo.Loop, n int, done *sync.WaitGroup, f func(i int)) {
	for i := range n {
		done.Add(1)
		fn := func() { defer done.Done(); f(i) }
		if i%3 == 2 {
			go fn()
		} else {
			l.Loops()[i%3].Post(fn)
		}
	}
}

// join waits for callers without holding up the loop.
func join(l *ringo.Loop, done *sync.WaitGroup) {
	l.Offload(func(context.Context) error { done.Wait(); return nil })
}

// What a Mutex guards needs no other order: under -race this test says so.
func TestMutexExcludes(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			const each, all = 200, 9
			var m ringo.Mutex
			var done sync.WaitGroup
			n, inside := 0, false
			callers(l, all, &done, func(i int) {
				for k := range each {
					m.Lock()
					if inside {
						t.Error("two callers hold the lock")
					}
					inside = true
					if n++; i == 0 && k%10 == 0 {
						l.Sleep(0) // a task may park while it holds the lock
					}
					inside = false
					m.Unlock()
				}
			})
			join(l, &done)
			equal(t, "sum", n, each*all)
		})
	})
}

// The lock is handed on in the order of arrival, whoever waits.
func TestMutexOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			m.Lock()
			var done sync.WaitGroup
			var order []int
			for i := range 7 {
				done.Add(1)
				fn := func() {
					defer done.Done()
					m.Lock()
					order = append(order, i)
					m.Unlock()
				}
				if i%3 == 2 {
					go fn()
				} else {
					l.Loops()[i%3].Post(fn)
				}
				sleepUntil(t, l, "the next in line", func() bool { return m.Waiting() == i+1 })
			}
			if m.TryLock() {
				t.Error("TryLock took a lock that is held")
			}
			m.Unlock()
			join(l, &done)
			equalList(t, "order", order, []int{0, 1, 2, 3, 4, 5, 6})
			if !m.TryLock() {
				t.Error("TryLock of a free lock failed")
			}
		})
	})
}

// Who is cancelled in line leaves it; the lock goes to the next.
func TestMutexCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			m.Lock()
			var order []int
			var tasks []*ringo.Task
			for i := range 3 {
				tasks = append(tasks, l.Go(func() {
					err := m.LockContext(nil)
					if i == 1 {
						equal(t, "LockContext of a cancelled task", err, context.Canceled)
						equal(t, "and again", m.LockContext(nil), context.Canceled)
						return
					}
					order = append(order, i)
					m.Unlock()
				}))
			}
			l.Sleep(0)
			equal(t, "waiting", m.Waiting(), 3)
			tasks[1].Cancel()
			tasks[1].Wait()
			equal(t, "waiting without the cancelled one", m.Waiting(), 2)
			m.Unlock()
			tasks[0].Wait()
			tasks[2].Wait()
			equalList(t, "order", order, []int{0, 2})

			// A cancelled task may take what is free, and give it back.
			task := l.Go(func() {
				equal(t, "Sleep", l.Sleep(0), context.Canceled)
				equal(t, "Lock of a free Mutex in a cancelled task", m.LockContext(nil), nil)
				m.Unlock()
			})
			task.Cancel()
			task.Wait()
		})
	})
}

// A lock that was handed over stays so, although its new owner is cancelled before it
// knows: it must not be lost.
func TestMutexHandedOverThenCancelled(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			m.Lock()
			task := l.Go(func() {
				equal(t, "LockContext", m.LockContext(nil), nil)
				equal(t, "Sleep", l.Sleep(time.Hour), context.Canceled)
				m.Unlock()
			})
			l.Sleep(0)
			m.Unlock()
			task.Cancel()
			m.Lock()
			task.Wait()
		})
	})
}

func TestMutexMisuse(t *testing.T) {
	var m ringo.Mutex
	equal(t, "Unlock", panics(m.Unlock), any("ringo: Unlock of a Mutex that is not locked"))
	m.Lock()
	m.Unlock()
	equal(t, "Unlock twice", panics(m.Unlock), any("ringo: Unlock of a Mutex that is not locked"))
	c := ringo.NewCond(&m)
	equal(t, "Wait", panics(func() { c.Wait() }), any("ringo: Cond.Wait with a Mutex that is not locked"))
	equal(t, "in line after it", c.Waiting(), 0)
	equal(t, "free after all", m.TryLock(), true)
}

// A Mutex also works where there is no loop at all.
func TestMutexOfGoroutines(t *testing.T) {
	var m ringo.Mutex
	var all sync.WaitGroup
	n := 0
	for range 4 {
		all.Go(func() {
			for range 1000 {
				m.Lock()
				n++
				m.Unlock()
			}
		})
	}
	all.Wait()
	equal(t, "sum", n, 4000)
}

// Signals wake in the order of arrival; who waits has the lock again whatever ended
// its wait, and a signal that meets a cancelled waiter goes to the next.
func TestCond(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			c := ringo.NewCond(&m)
			c.Signal() // nobody is there, and nobody will know
			var done sync.WaitGroup
			var order []int
			var cancelled *ringo.Task
			for i := range 7 {
				done.Add(1)
				fn := func() {
					defer done.Done()
					m.Lock()
					defer m.Unlock()
					if err := c.WaitContext(nil); i != 4 && err != nil || i == 4 && err != context.Canceled {
						t.Errorf("WaitContext of %d: %v", i, err)
					}
					if m.TryLock() {
						t.Error("Wait returned without the lock")
					}
					order = append(order, i)
				}
				switch {
				case i == 4:
					cancelled = l.Loops()[1].Go(fn)
				case i%3 == 2:
					go fn()
				default:
					l.Loops()[i%3].Post(fn)
				}
				sleepUntil(t, l, "the next in line", func() bool { return c.Waiting() == i+1 })
			}
			came := func(want ...int) {
				t.Helper()
				sleepUntil(t, l, "those who were woken", func() bool {
					m.Lock()
					defer m.Unlock()
					return len(order) >= len(want)
				})
				m.Lock()
				equalList(t, "order", order, want)
				m.Unlock()
			}
			for i := range 4 {
				c.Signal()
				came([]int{0, 1, 2, 3}[:i+1]...)
			}
			cancelled.Cancel()
			cancelled.Wait()
			c.Signal()
			came(0, 1, 2, 3, 4, 5)
			c.Broadcast()
			came(0, 1, 2, 3, 4, 5, 6)
			join(l, &done)
		})
	})
}

// Broadcast wakes all, and only those who wait.
func TestCondBroadcast(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var m ringo.Mutex
			c := ringo.NewCond(&m)
			c.Broadcast()
			const all, rounds = 9, 20
			var done sync.WaitGroup
			round := 0
			callers(l, all, &done, func(int) {
				m.Lock()
				defer m.Unlock()
				for mine := 1; mine <= rounds; mine++ {
					for round < mine {
						c.Wait()
					}
				}
			})
			for range rounds {
				if !sleepUntil(t, l, "all in line", func() bool { return c.Waiting() == all }) {
					return
				}
				m.Lock()
				round++
				c.Broadcast()
				equal(t, "in line behind a Broadcast", c.Waiting(), 0)
				m.Unlock()
			}
			join(l, &done)
		})
	})
}
