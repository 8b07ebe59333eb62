package ringo_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"ringo"
)

// No more units are out than there are, whoever takes them.
func TestSemaphoreBounds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			const size = 5
			s := ringo.NewSemaphore(size)
			var m ringo.Mutex
			var done sync.WaitGroup
			out, most := int64(0), int64(0)
			count := func(n int64) {
				m.Lock()
				out += n
				most = max(most, out)
				m.Unlock()
			}
			callers(l, 9, &done, func(i int) {
				for k := range 100 {
					n := int64((i + k) % (size + 1))
					if err := s.Acquire(nil, n); err != nil {
						t.Errorf("Acquire: %v", err)
						return
					}
					count(n)
					if i%3 == 0 && k%8 == 0 {
						l.Sleep(0)
					}
					count(-n)
					s.Release(n)
				}
			})
			join(l, &done)
			if most > size || most < size {
				t.Errorf("%d units were out at most, want %d", most, size)
			}
			if !s.TryAcquire(size) || s.TryAcquire(1) || !s.TryAcquire(0) {
				t.Error("not all units came back, or more than there were")
			}
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
