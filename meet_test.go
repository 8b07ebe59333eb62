package ringo_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"ringo"
)

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
			var next [9]int
			for i := range next {
				s.somebody(l, i, &done, func(l *ringo.Loop) {
					for n := next[i]; n < 300; n++ {
						next[i] = n + 1
						if _, over := s.wait(l, func() error { return hold(l, n%(size+1)) }); over {
							return
						}
					}
				})
			}
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
