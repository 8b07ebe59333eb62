package ringo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringo"
)

// Run in a bubble fails at once, from any goroutine there, and leaves nothing behind.
func TestRunInABubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		refused := func(t *testing.T) {
			err := ringo.Run(t.Context(), &cfg, func(*ringo.Loop) error { t.Error("fn was called"); return nil })
			if !errors.Is(err, ringo.ErrBubble) || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Run: %v, want ErrBubble", err)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			refused(t)
			done := make(chan struct{})
			go func() { defer close(done); refused(t) }()
			<-done
			time.Sleep(time.Hour) // goes on, because nobody waits elsewhere
			refused(t)
		})
		mustRun(t, cfg, func(l *ringo.Loop) {
			equal(t, "Offload", l.Offload(func(context.Context) error { synctest.Test(t, refused); return nil }), nil)
		})
	})
}

// bubbleCalls are what a goroutine may ask of a loop, or wait for together with its tasks. The loop is outside the
// bubble of the goroutine.
var bubbleCalls = map[string]func(t *testing.T, l *ringo.Loop){
	"Loop.Call": func(t *testing.T, l *ringo.Loop) {
		wrong := errors.New("wrong")
		equal(t, "Call", l.Call(func() error { l.Sleep(time.Millisecond); return wrong }), wrong)
	},
	"Loop.Post": func(t *testing.T, l *ringo.Loop) {
		var done ringo.WaitGroup
		done.Add(1)
		equal(t, "Post", l.Post(func() { l.Sleep(time.Millisecond); done.Done() }), nil)
		done.Wait()
	},
	"Task.Cancel": func(t *testing.T, l *ringo.Loop) {
		var err error
		task := l.Go(func() { err = l.Sleep(time.Hour) })
		task.Cancel()
		equal(t, "Wait", task.Wait(), nil)
		wantCanceled(t, "Sleep", err)
	},
	"WaitGroup.Go": func(t *testing.T, l *ringo.Loop) {
		var all ringo.WaitGroup
		ch, sum := ringo.NewChan[int](0), 0
		for v := range 4 {
			all.Go(func() { equal(t, "Send", ch.Send(v), nil) })
		}
		task := l.Go(func() {
			for range 4 {
				v, _ := ch.Recv()
				sum += v
			}
		})
		all.Wait()
		task.Wait()
		equal(t, "sum", sum, 6)
	},
	"Semaphore": func(t *testing.T, l *ringo.Loop) {
		s := ringo.NewSemaphore(1)
		s.TryAcquire(1)
		task := l.Go(func() { l.Sleep(time.Millisecond); s.Release(1) })
		equal(t, "Acquire", s.Acquire(t.Context(), 1), nil)
		task.Wait()
	},
	"Mutex": func(t *testing.T, l *ringo.Loop) {
		var m, locked ringo.Mutex
		locked.Lock()
		task := l.Go(func() { m.Lock(); locked.Unlock(); l.Sleep(time.Millisecond); m.Unlock() })
		locked.Lock()
		m.Lock()
		equal(t, "TryLock", m.TryLock(), false)
		m.Unlock()
		task.Wait()
	},
	"Ticker": func(t *testing.T, l *ringo.Loop) {
		var ticker *ringo.Ticker
		equal(t, "Call", l.Call(func() error { ticker = l.NewTicker(time.Millisecond); return nil }), nil)
		for range 3 {
			_, err := ticker.C.Recv()
			equal(t, "Recv", err, nil)
		}
		equal(t, "Call", l.Call(func() error { ticker.Stop(); return nil }), nil)
	},
	"a context of the bubble": func(t *testing.T, l *ringo.Loop) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantCanceled(t, "WithContext in Call", l.Call(func() error {
			return l.WithContext(ctx, func() error { return l.Sleep(time.Hour) })
		}))
	},
	"Loop.Stats": func(t *testing.T, l *ringo.Loop) { equal(t, "turns", l.Stats().Turns > 0, true) },
}

// Goroutines in a bubble wait for a loop outside as they do outside.
func TestCallsFromABubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, call := range bubbleCalls {
			t.Run(name, func(t *testing.T) {
				mustRun(t, cfg, func(l *ringo.Loop) {
					equal(t, "Offload", l.Offload(func(context.Context) error {
						synctest.Test(t, func(t *testing.T) { call(t, l) })
						return nil
					}), nil)
				})
			})
		}
	})
}
