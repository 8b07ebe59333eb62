package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// callers runs f as somebody: a task of loop 0, one of loop 1, or a goroutine, in
// turn. done ends when all have.
func callers(l *ringo.Loop, n int, done *sync.WaitGroup, f func(i int)) {
	for i := range n {
		startCaller(l, i, done, f)
	}
}

// startCaller starts one of them.
func startCaller(l *ringo.Loop, i int, done *sync.WaitGroup, f func(i int)) {
	done.Add(1)
	fn := func() { defer done.Done(); f(i) }
	if i%3 == 2 {
		go fn()
	} else {
		l.Loops()[i%3].Post(fn)
	}
}

// inLine begins callers one after the other, each of which is in line before the next begins.
func inLine(t *testing.T, l *ringo.Loop, done *sync.WaitGroup, n int, waiting func() int, f func(i int)) {
	t.Helper()
	for i := range n {
		startCaller(l, i, done, f)
		sleepUntil(t, l, "the next in line", func() bool { return waiting() == i+1 })
	}
}

// join waits for callers without holding up the loop.
func join(l *ringo.Loop, done *sync.WaitGroup) {
	l.Offload(func(context.Context) error { done.Wait(); return nil })
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
			inLine(t, l, &done, 7, m.Waiting, func(i int) {
				m.Lock()
				order = append(order, i)
				m.Unlock()
			})
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

// Who wants much is not passed by who wants little, and is in nobody's way once it
// has gone.
func TestSemaphoreOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			s := ringo.NewSemaphore(3)
			s.Acquire(nil, 2)
			var order []int64
			wait := func(n int64) *ringo.Task {
				task := l.Go(func() {
					if err := s.Acquire(nil, n); err == nil {
						order = append(order, n)
					} else if err != context.Canceled {
						t.Errorf("Acquire: %v", err)
					}
				})
				l.Sleep(0)
				return task
			}
			three := wait(3)
			wait(1)
			wait(0)
			equal(t, "in line", s.Waiting(), 3)
			if s.TryAcquire(1) {
				t.Error("TryAcquire passed those who wait")
			}
			three.Cancel()
			three.Wait()
			l.Sleep(0)
			equalList(t, "behind the one that was cancelled", order, []int64{1, 0})
			equal(t, "in line", s.Waiting(), 0)

			order = nil
			wait(2) // with none left
			wait(1)
			s.Release(1)
			l.Sleep(0)
			equal(t, "granted with too little for the first", len(order), 0)
			s.Release(2)
			l.Sleep(0)
			equalList(t, "granted", order, []int64{2, 1})
		})
	})
}

func TestSemaphoreMisuse(t *testing.T) {
	s := ringo.NewSemaphore(2)
	if err := s.Acquire(nil, 3); err == nil || !strings.Contains(err.Error(), "3 units: there are only 2") {
		t.Errorf("Acquire of more than there are: %v", err)
	}
	if s.TryAcquire(3) {
		t.Error("TryAcquire of more than there are")
	}
	s.Acquire(nil, 1)
	for what, f := range map[string]func(){
		"ringo: NewSemaphore(-1)":                             func() { ringo.NewSemaphore(-1) },
		"ringo: Semaphore.Acquire of -1 units":                func() { s.Acquire(nil, -1) },
		"ringo: Semaphore.TryAcquire of -1 units":             func() { s.TryAcquire(-1) },
		"ringo: Semaphore.Release of -1 units":                func() { s.Release(-1) },
		"ringo: Semaphore.Release of 2 units while 1 are out": func() { s.Release(2) },
	} {
		equal(t, "panic", panics(f), any(what))
	}
	s.Release(1)
	if !s.TryAcquire(2) {
		t.Error("not all units are there after the panics")
	}
}

// Tasks of two loops and goroutines start each other, and all of them are waited for, by each sort.
func TestWaitGroup(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		beside(t, cfg, func(l *ringo.Loop) {
			for who, run := range everybody {
				var g ringo.WaitGroup
				var ran, on atomic.Int32
				g.Wait() // for nobody
				_, started := run(l, func(mine *ringo.Loop) {
					for i := range 50 {
						g.Go(func() {
							if mine != nil && mine.Sleep(0) == nil {
								on.Add(1) // it is a task of the same loop
							}
							g.Go(func() { ran.Add(1) })
							ran.Add(1)
							if i == 7 {
								runtime.Goexit()
							}
						})
					}
					if mine != nil {
						g.Go(func() { panic("as if it had returned") })
					}
					g.Wait()
					equal(t, who+": ran", ran.Load(), 100)
					if mine != nil {
						equal(t, who+": tasks of the loop", on.Load(), 50)
					}
				})
				started()
				g.Wait()
				equal(t, who+": waiting", g.Waiting(), 0)
				g.Add(2) // it is used again
				var over atomic.Bool
				_, waits := run(l, func(*ringo.Loop) { g.Wait(); over.Store(true) })
				sleepUntil(t, l, "the one who waits", func() bool { return g.Waiting() == 1 })
				g.Done()
				equal(t, who+": over before the last", over.Load(), false)
				g.Done()
				waits()
			}
		})
	})
}

func TestWaitGroupMisuse(t *testing.T) {
	var g ringo.WaitGroup
	equal(t, "Done", panics(g.Done), any("ringo: WaitGroup.Add(-1) with a counter of 0"))
	g.Add(2)
	equal(t, "Add", panics(func() { g.Add(-3) }), any("ringo: WaitGroup.Add(-3) with a counter of 2"))
	g.Add(-2)
	g.Wait()
}

// token is one value of the storm: whose, and which of his.
type token struct{ from, n int }

// storm is what all have a part in: channels of each kind, and what went through them.
type storm struct {
	t     *testing.T
	chans []*ringo.Chan[token]
	next  [9]int     // by sender
	mu    sync.Mutex // of what follows; nobody parks with it
	sent  map[token]int
	got   map[token]int
	order map[[3]int][]int // by receiver, sender and channel: the numbers
}

// Tasks of two loops and goroutines send and receive at random, with Selects, timeouts
// that pass at all moments and cancels that come at all moments. Each value whose Send
// gave nil is received once, no other is, and those of one sender come through one
// channel in order.
func TestMeetingsStorm(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			s := &storm{t: t, sent: map[token]int{}, got: map[token]int{}, order: map[[3]int][]int{}}
			for _, capacity := range []int{0, 0, 1, 3} {
				s.chans = append(s.chans, ringo.NewChan[token](capacity))
			}
			var sending, receiving sync.WaitGroup
			for i := range s.next {
				s.somebody(l, i, &sending, func(l *ringo.Loop) { s.send(l, i) })
			}
			for i := range 9 {
				s.somebody(l, i, &receiving, func(l *ringo.Loop) { s.receive(l, i) })
			}
			join(l, &sending)
			for _, c := range s.chans {
				c.Close()
			}
			join(l, &receiving)
			s.check()
		})
	})
}

// somebody runs f as a task of one of the loops, which is cancelled at some moment and
// then begins again, or as a goroutine, with a nil loop.
func (s *storm) somebody(l *ringo.Loop, i int, done *sync.WaitGroup, f func(l *ringo.Loop)) {
	done.Add(1)
	if i%3 == 2 {
		go func() { defer done.Done(); f(nil) }()
		return
	}
	home := l.Loops()[i%3]
	ended := false
	home.Post(func() {
		defer done.Done()
		for !ended {
			task := home.Go(func() {
				f(home)
				ended = home.Context().Err() == nil
			})
			if i%2 == 0 {
				home.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
				task.Cancel()
			}
			task.Wait()
		}
	})
}

// crowd has several call f, 300 times each.
func (s *storm) crowd(l *ringo.Loop, done *sync.WaitGroup, f func(l *ringo.Loop, n int) error) {
	var next [9]int // also for the task that goes on when one is cancelled
	for i := range next {
		s.somebody(l, i, done, func(l *ringo.Loop) {
			for n := next[i]; n < 300; n++ {
				next[i] = n + 1
				if _, over := s.wait(l, func() error { return f(l, n) }); over {
					return
				}
			}
		})
	}
}

// wait calls f, often within a time that may be over at once, before or after somebody
// comes. It reports whether f did what it should; over is set if there is no more to
// do.
func (s *storm) wait(l *ringo.Loop, f func() error) (ok, over bool) {
	var err error
	if l != nil && rand.IntN(3) == 0 {
		err = l.WithTimeout(time.Duration(rand.IntN(60)-5)*time.Microsecond, f)
	} else {
		err = f()
	}
	switch {
	case err == nil:
		return true, false
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, false
	case errors.Is(err, context.Canceled), err == ringo.ErrClosed:
		return false, true
	}
	s.t.Errorf("a wait: %v", err)
	return false, true
}

func (s *storm) send(l *ringo.Loop, from int) {
	for n := s.next[from]; n < 500; n++ {
		s.next[from] = n + 1 // also for the task that goes on when this one is cancelled
		v := token{from, n}
		to := rand.IntN(len(s.chans))
		ok, over := s.wait(l, func() error {
			switch rand.IntN(4) {
			case 0:
				if !s.chans[to].TrySend(v) {
					return os.ErrDeadlineExceeded
				}
				return nil
			case 1:
				i, err := ringo.Select(ringo.SendFrom(s.chans[to], &v),
					ringo.SendFrom(s.chans[(to+1)%len(s.chans)], &v))
				if i > 0 {
					to = (to + 1) % len(s.chans)
				}
				return err
			}
			return s.chans[to].Send(v)
		})
		if ok {
			s.count(s.sent, v)
		}
		if over {
			return
		}
	}
}

func (s *storm) receive(l *ringo.Loop, who int) {
	var v [4]token
	for {
		at := rand.IntN(len(s.chans))
		ok, over := s.wait(l, func() (err error) {
			if rand.IntN(2) == 0 {
				var cases []ringo.Case
				for i, c := range s.chans {
					cases = append(cases, ringo.RecvInto(c, &v[i]))
				}
				at, err = ringo.Select(cases...)
				return err
			}
			v[at], err = s.chans[at].Recv()
			return err
		})
		if ok {
			s.count(s.got, v[at])
			s.mu.Lock()
			key := [3]int{who, v[at].from, at}
			s.order[key] = append(s.order[key], v[at].n)
			s.mu.Unlock()
		}
		if over {
			return
		}
	}
}

func (s *storm) count(in map[token]int, v token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in[v]++
}

func (s *storm) check() {
	for _, c := range s.chans { // a receiver goes at the first channel that is closed and empty
		for v, ok := c.TryRecv(); ok; v, ok = c.TryRecv() {
			s.got[v]++
		}
		equal(s.t, "left", c.Len(), 0)
		equal(s.t, "in line", c.Waiting(), 0)
	}
	if len(s.sent) < 800 {
		s.t.Errorf("only %d values were sent", len(s.sent))
	}
	for v, n := range s.sent {
		if n != 1 || s.got[v] != 1 {
			s.t.Errorf("value %v was sent %d times and received %d times", v, n, s.got[v])
		}
	}
	for v := range s.got {
		if s.sent[v] == 0 {
			s.t.Errorf("value %v was received, and its Send failed", v)
		}
	}
	for key, list := range s.order {
		if !slices.IsSorted(list) {
			s.t.Errorf("receiver %d got what %d sent through %d out of order: %v", key[0], key[1], key[2], list)
		}
	}
}

// The same for what is held and not handed over: with cancels and timeouts at all
// moments no lock and no unit gets lost, nor is there ever one too many.
func TestHoldersStorm(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			const size = 4
			var m ringo.Mutex
			c := ringo.NewCond(&m)
			units := ringo.NewSemaphore(size)
			free := size // under m
			s := &storm{t: t}
			hold := func(l *ringo.Loop, n int) error {
				if err := units.Acquire(nil, int64(n)); err != nil {
					return err
				}
				defer units.Release(int64(n))
				if err := m.LockContext(nil); err != nil {
					return err
				}
				if free -= n; free < 0 {
					t.Errorf("%d units too many are out", -free)
				}
				var err error
				if rand.IntN(4) == 0 {
					err = c.WaitContext(nil)
				}
				free += n
				c.Signal()
				m.Unlock()
				return err
			}
			var done sync.WaitGroup
			s.crowd(l, &done, func(l *ringo.Loop, n int) error { return hold(l, n%(size+1)) })
			over := false
			waker := l.Go(func() { // for those who wait when all others have ended
				for !over {
					c.Broadcast()
					l.Sleep(100 * time.Microsecond)
				}
			})
			join(l, &done)
			over = true
			waker.Wait()
			if !m.TryLock() || !units.TryAcquire(size) || free != size {
				t.Errorf("something is still held: %d of %d free", free, size)
			}
			equal(t, "in line", m.Waiting()+c.Waiting()+units.Waiting(), 0)
		})
	})
}

// Writers and readers get the lock in order of arrival, readers together with those next to them, whoever waits.
func TestRWMutexOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var m ringo.RWMutex
			m.RLock()
			if !m.TryRLock() {
				t.Error("TryRLock beside a reader failed")
			}
			m.RUnlock()
			const plan = "wrrwrrrw"
			var mu sync.Mutex
			var order []byte
			note := func(i int) {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, plan[i])
			}
			var two, three ringo.WaitGroup // of readers that have the lock at once
			two.Add(2)
			three.Add(3)
			var done sync.WaitGroup
			inLine(t, l, &done, len(plan), m.Waiting, func(i int) {
				if plan[i] == 'w' {
					m.Lock()
					note(i)
					m.Unlock()
					return
				}
				m.RLocker().Lock()
				defer m.RLocker().Unlock()
				note(i)
				together := &two
				if i > 3 {
					together = &three
				}
				together.Done()
				together.Wait()
			})
			if m.TryRLock() || m.TryLock() {
				t.Error("the lock was to be had before those that wait")
			}
			m.RUnlock()
			join(l, &done)
			equal(t, "order", string(order), plan)
			if !m.TryLock() || m.TryLock() || m.TryRLock() {
				t.Error("a free lock is not one writer's")
			}
			m.Unlock()
		})
	})
}

// A writer that is cancelled in line lets readers behind it go in.
func TestRWMutexCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var m ringo.RWMutex
			m.RLock()
			writer := l.Go(func() { equal(t, "LockContext", m.LockContext(nil), context.Canceled) })
			reader := l.Go(func() {
				equal(t, "RLockContext", m.RLockContext(nil), nil)
				m.RUnlock()
			})
			l.Sleep(0)
			equal(t, "waiting", m.Waiting(), 2)
			writer.Cancel()
			reader.Wait()
			m.RUnlock()
			m.Lock()
			late := l.WithTimeout(time.Millisecond, func() error { return m.RLockContext(nil) })
			if !errors.Is(late, os.ErrDeadlineExceeded) {
				t.Errorf("RLockContext in a WithTimeout: %v", late)
			}
			ended, end := context.WithCancel(context.Background())
			end()
			equal(t, "RLockContext with a context that has ended", m.RLockContext(ended), context.Canceled)
			m.Unlock()
			equal(t, "LockContext with it", m.LockContext(ended), context.Canceled)
			equal(t, "in line", m.Waiting(), 0)
		})
	})
}

func TestRWMutexMisuse(t *testing.T) {
	var m, none *ringo.RWMutex = new(ringo.RWMutex), nil
	const want = " of an RWMutex that is not locked for it"
	equal(t, "Unlock", panics(m.Unlock), any("ringo: Unlock"+want))
	m.Lock()
	equal(t, "RUnlock", panics(m.RUnlock), any("ringo: RUnlock"+want))
	m.Unlock()
	m.RLock()
	equal(t, "Unlock of a reader's", panics(m.Unlock), any("ringo: Unlock"+want))
	m.RUnlock()
	for name, f := range map[string]func(){"Lock": none.Lock, "RLock": none.RLock, "Unlock": none.Unlock,
		"RUnlock": none.RUnlock} {
		if v := panics(f); fmt.Sprint(v) != "ringo: RWMutex."+name+" of nil" {
			t.Errorf("%s of nil: %v", name, v)
		}
	}
	if none.TryLock() || none.TryRLock() || none.LockContext(nil) == nil || none.RLockContext(nil) == nil {
		t.Error("nil was locked")
	}
}

// With cancels and timeouts at all moments there is one writer or some readers, and nobody stays in line.
func TestRWMutexStorm(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var m ringo.RWMutex
			var readers, writers atomic.Int32
			s := &storm{t: t}
			hold := func(l *ringo.Loop, writes bool) error {
				lock, unlock, mine := m.RLockContext, m.RUnlock, &readers
				if writes {
					lock, unlock, mine = m.LockContext, m.Unlock, &writers
				}
				if err := lock(nil); err != nil {
					return err
				}
				defer unlock()
				mine.Add(1)
				defer mine.Add(-1)
				if w, r := writers.Load(), readers.Load(); w > 1 || w == 1 && r > 0 {
					t.Errorf("%d writers and %d readers", w, r)
				}
				if l != nil && rand.IntN(4) == 0 {
					return l.Sleep(0)
				}
				return nil
			}
			var done sync.WaitGroup
			s.crowd(l, &done, func(l *ringo.Loop, _ int) error { return hold(l, rand.IntN(3) == 0) })
			join(l, &done)
			equal(t, "in line", m.Waiting(), 0)
			if !m.TryLock() {
				t.Error("something is still held")
			}
		})
	})
}

// Whoever comes while the function runs waits for its end, a task of either loop or a goroutine, and it runs once.
func TestOnce(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var once ringo.Once
			ran, ended := 0, false
			release := ringo.NewChan[bool](0)
			first := l.Go(func() {
				once.Do(func() {
					ran++
					release.Recv()
					ended = true
				})
			})
			l.Sleep(0)
			var done sync.WaitGroup
			inLine(t, l, &done, 6, once.Waiting, func(int) {
				once.Do(func() { ran++ })
				if !ended {
					t.Error("Do returned before the function has")
				}
			})
			release.Send(true)
			first.Wait()
			join(l, &done)
			once.Do(func() { ran++ })
			equal(t, "times that it ran", ran, 1)
		})
	})
}

// A function's result, or its panic, is what each call gets.
func TestOnceValues(t *testing.T) {
	ran := 0
	value := ringo.OnceValue(func() int { ran++; return 7 })
	both := ringo.OnceValues(func() (string, error) { ran++; return "x", os.ErrNotExist })
	f := ringo.OnceFunc(func() { ran++ })
	broken := ringo.OnceValue(func() int { ran++; panic("planned") })
	for range 2 {
		equal(t, "value", value(), 7)
		s, err := both()
		equal(t, "values", s+err.Error(), "x"+os.ErrNotExist.Error())
		f()
		equal(t, "panic", panics(func() { broken() }), any("planned"))
	}
	equal(t, "times that they ran", ran, 4)

	exits := ringo.OnceFunc(runtime.Goexit)
	var gone sync.WaitGroup
	gone.Go(exits)
	gone.Wait()
	if v, ok := panics(exits).(string); !ok || !strings.Contains(v, "runtime.Goexit") {
		t.Errorf("the call behind one that called Goexit: %v", v)
	}

	var once ringo.Once
	equal(t, "Do that panics", panics(func() { once.Do(func() { panic("planned") }) }), any("planned"))
	once.Do(func() { t.Error("it ran again") })
	if panics(func() { (*ringo.Once)(nil).Do(f) }) == nil || panics(func() { new(ringo.Once).Do(nil) }) == nil ||
		panics(func() { ringo.OnceFunc(nil) }) == nil {
		t.Error("nil was taken")
	}
}
