package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// In each round nobody goes on before all have come, whoever they are, and one of them is the last.
func TestBarrier(t *testing.T) {
	const size, rounds = 6, 20
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			b := ringo.NewBarrier(size)
			var come, lasts atomic.Int32
			var done sync.WaitGroup
			callers(l, size, &done, func(int) {
				for round := int32(1); round <= rounds; round++ {
					come.Add(1)
					last, err := b.Wait(nil)
					if n := come.Load(); err != nil || n < round*size {
						t.Errorf("round %d: %d have come, %v", round, n, err)
					}
					if last {
						lasts.Add(1)
					}
				}
			})
			join(l, &done)
			equal(t, "the last to come", lasts.Load(), rounds)
			equal(t, "in line", b.Waiting(), 0)
		})
	})
}

// Who is cancelled in line does not count; when all have come it is too late.
func TestBarrierCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			b := ringo.NewBarrier(3)
			come := func() *ringo.Task { return l.Go(func() { _, err := b.Wait(nil); equal(t, "Wait", err, nil) }) }
			gone := l.Go(func() {
				_, err := b.Wait(nil)
				equal(t, "Wait of who is cancelled", err, context.Canceled)
			})
			first := come()
			l.Sleep(0)
			gone.Cancel()
			gone.Wait()
			second := come()
			l.Sleep(0)
			equal(t, "in line", b.Waiting(), 2)
			first.Cancel() // it hears of that when all have come
			last, err := b.Wait(nil)
			equal(t, "the last's Wait", err, nil)
			equal(t, "last", last, true)
			first.Wait()
			second.Wait()
			ended, end := context.WithCancel(context.Background())
			end()
			_, err = b.Wait(ended)
			equal(t, "Wait with a context that has ended", err, context.Canceled)
			equal(t, "in line", b.Waiting(), 0)
		})
	})
	if v := panics(func() { ringo.NewBarrier(0) }); v != "ringo: NewBarrier(0)" {
		t.Errorf("NewBarrier(0): %v", v)
	}
}

// With cancels and timeouts at all moments those that got nil are whole rounds.
func TestBarrierStorm(t *testing.T) {
	const size = 3
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			b := ringo.NewBarrier(size)
			var went, lasts atomic.Int64
			wait := func(ctx context.Context) error {
				last, err := b.Wait(ctx)
				if err == nil {
					went.Add(1)
				}
				if last {
					lasts.Add(1)
				}
				return err
			}
			s := &storm{t: t}
			var crowd, fillers sync.WaitGroup
			s.crowd(l, &crowd, func(*ringo.Loop, int) error { return wait(nil) })
			ctx, end := context.WithCancel(context.Background())
			for range size - 1 { // or the last of the crowd waits for ever
				fillers.Go(func() {
					for wait(ctx) == nil {
					}
				})
			}
			join(l, &crowd)
			end()
			join(l, &fillers)
			if went.Load() != size*lasts.Load() || lasts.Load() == 0 {
				t.Errorf("%d went on, in %d rounds of %d", went.Load(), lasts.Load(), size)
			}
			equal(t, "in line", b.Waiting(), 0)
		})
	})
}

// Whoever follows gets later and later values, and the last, though not all; and then ErrClosed.
func TestWatch(t *testing.T) {
	const values = 1000
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			var w ringo.Watch[int]
			var done sync.WaitGroup
			inLine(t, l, &done, 6, w.Waiting, func(int) {
				for last := uint64(0); ; {
					v, version, err := w.Next(nil, last)
					if err == ringo.ErrClosed {
						equal(t, "the last version", last, values)
						equal(t, "the version of ErrClosed", version, last)
						return
					}
					if err != nil || version <= last || uint64(v) != version {
						t.Errorf("Next of %d: %d, %d, %v", last, v, version, err)
						return
					}
					last = version
				}
			})
			for i := range values {
				equal(t, "Set", w.Set(i+1), nil)
				if i%10 == 0 {
					l.Sleep(0)
				}
			}
			w.Close()
			join(l, &done)
			v, version := w.Get()
			equal(t, "Get", v, values)
			equal(t, "its version", version, values)
			equal(t, "Set after Close", w.Set(1), ringo.ErrClosed)
			v, _, err := w.Next(nil, 1)
			equal(t, "Next of an old one after Close", v, values)
			equal(t, "its error", err, nil)
		})
	})
}

// What ends a wait for a value takes the waiter out of the line.
func TestWatchCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var w ringo.Watch[string]
			_, version := w.Get()
			equal(t, "the version of none", version, 0)
			waits := l.Go(func() {
				_, _, err := w.Next(nil, 0)
				equal(t, "Next", err, context.Canceled)
			})
			l.Sleep(0)
			waits.Cancel()
			waits.Wait()
			waits = l.Go(func() {
				v, version, err := w.Next(nil, 0)
				equal(t, "the value", v, "value")
				equal(t, "its version", version, 1)
				equal(t, "its error", err, nil)
			})
			l.Sleep(0)
			w.Set("value")
			waits.Wait()
			ended, end := context.WithCancelCause(context.Background())
			cause := errors.New("the cause")
			end(cause)
			_, _, err := w.Next(ended, 0)
			if !errors.Is(err, cause) {
				t.Errorf("Next with a context that has ended: %v", err)
			}
			equal(t, "in line", w.Waiting(), 0)
		})
	})
}

// A context ends a wait for a value, too, which takes none: a value that has come since is there for the next call.
func TestBroadcastContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var w ringo.Watch[int]
			b := ringo.NewBroadcast[int](1)
			s := b.Subscribe()
			ctx, end := context.WithCancel(context.Background())
			waits := []*ringo.Task{l.Go(func() {
				v, version, err := w.Next(ctx, 0)
				if v != 0 || version != 0 || err != context.Canceled {
					t.Errorf("Next of a context that ends: %d, %d, %v", v, version, err)
				}
			}), l.Go(func() {
				v, err := s.Recv(ctx)
				if v != 0 || err != context.Canceled {
					t.Errorf("Recv of a context that ends: %d, %v", v, err)
				}
			})}
			l.Sleep(0)
			end()
			for w.Waiting()+b.Waiting() > 0 && len(waits) > 0 {
				waits[0].Wait()
				waits = waits[1:]
			}
			// Cancelled in line, and then there is a value before it goes on.
			waits = []*ringo.Task{l.Go(func() {
				v, version, err := w.Next(nil, 0)
				if v != 0 || version != 0 || err != context.Canceled {
					t.Errorf("Next of who is cancelled: %d, %d, %v", v, version, err)
				}
			}), l.Go(func() {
				v, err := s.Recv(nil)
				if v != 0 || err != context.Canceled {
					t.Errorf("Recv of who is cancelled: %d, %v", v, err)
				}
			})}
			l.Sleep(0)
			for _, task := range waits {
				task.Cancel()
			}
			w.Set(7)
			b.Publish(7)
			for _, task := range waits {
				task.Wait()
			}
			v, version, err := w.Next(nil, 0)
			if v != 7 || version != 1 || err != nil {
				t.Errorf("Next: %d, %d, %v", v, version, err)
			}
			v, err = s.Recv(nil)
			equal(t, "Recv", v, 7)
			equal(t, "its error", err, nil)
		})
	})
}

// Of several that receive from one Subscription each value goes to one.
func TestSubscriptionShared(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			b := ringo.NewBroadcast[int](4)
			s := b.Subscribe()
			var got []int
			for range 3 {
				l.Go(func() {
					for {
						v, err := s.Recv(nil)
						if err != nil {
							return
						}
						got = append(got, v)
					}
				})
			}
			for i := range 5 {
				l.Sleep(0)
				b.Publish(i)
			}
			l.Sleep(0)
			b.Close()
			equal(t, "received", fmt.Sprint(got), "[0 1 2 3 4]")
		})
	})
}

// Those that keep up get each value, in order; one that is too far behind learns how many it has missed, and gets those
// that are kept.
func TestBroadcast(t *testing.T) {
	const values = 1000
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			b := ringo.NewBroadcast[int](values)
			b.Publish(-1) // to nobody
			var done sync.WaitGroup
			inLine(t, l, &done, 6, b.Waiting, func(int) {
				s := b.Subscribe()
				for i := range values {
					if v, err := s.Recv(nil); v != i || err != nil {
						t.Errorf("Recv: %d, %v, want %d", v, err, i)
						return
					}
				}
				_, err := s.Recv(nil)
				equal(t, "Recv after Close", err, ringo.ErrClosed)
			})
			slow := b.Subscribe()
			for i := range values {
				equal(t, "Publish", b.Publish(i), nil)
			}
			b.Close()
			join(l, &done)
			equal(t, "Publish after Close", b.Publish(0), ringo.ErrClosed)
			v, err := slow.Recv(nil)
			equal(t, "the first of who is slow", v, 0)
			equal(t, "its error", err, nil)
		})
		few := ringo.NewBroadcast[int](4)
		s := few.Subscribe()
		for i := range 10 {
			few.Publish(i)
		}
		var missed ringo.MissedError
		if _, err := s.Recv(nil); !errors.As(err, &missed) || missed.Values != 6 {
			t.Errorf("Recv of who has missed 6: %v", err)
		}
		for i := 6; i < 10; i++ {
			v, err := s.Recv(nil)
			equal(t, "Recv", v, i)
			equal(t, "its error", err, nil)
		}
		few.Close()
		_, err := s.Recv(nil)
		equal(t, "Recv after Close", err, ringo.ErrClosed)
	})
	if v := panics(func() { ringo.NewBroadcast[int](0) }); v != "ringo: NewBroadcast(0)" {
		t.Errorf("NewBroadcast(0): %v", v)
	}
}

// With cancels and timeouts at all moments each Subscription has what was sent since it began, or was told that it has
// missed it, in order, and once.
func TestBroadcastStorm(t *testing.T) {
	const values = 3000
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			b := ringo.NewBroadcast[int](8)
			st := &storm{t: t}
			var next [9]int
			var done sync.WaitGroup
			for i := range next {
				s := b.Subscribe()
				st.somebody(l, i, &done, func(l *ringo.Loop) {
					for {
						ok, over := st.wait(l, func() error {
							v, err := s.Recv(nil)
							var missed ringo.MissedError
							switch {
							case errors.As(err, &missed):
								next[i] += int(missed.Values)
								return nil
							case err == nil && v != next[i]:
								t.Errorf("Recv: %d, want %d", v, next[i])
							}
							if err == nil {
								next[i]++
							}
							return err
						})
						if !ok && over {
							return
						}
					}
				})
			}
			for i := range values {
				b.Publish(i)
				if rand.IntN(6) == 0 {
					l.Sleep(time.Duration(rand.IntN(2)))
				}
			}
			b.Close()
			join(l, &done)
			for i, n := range next {
				if n != values {
					t.Errorf("subscriber %d has had %d of %d", i, n, values)
				}
			}
			equal(t, "in line", b.Waiting(), 0)
		})
	})
}
