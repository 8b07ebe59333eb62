package ringo_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
)

// Draining is closed at the begin of the drain, or else at the end, for tasks of all loops and for goroutines, for
// those that wait and those that come.
func TestDraining(t *testing.T) {
	for _, drains := range []bool{true, false} {
		cfg := anyDriver(t)
		cfg.Loops, cfg.Grace = 2, time.Hour
		ctx, drain := context.WithCancel(context.Background())
		defer drain()
		outside := make(chan error, 1)
		var first *ringo.Loop
		if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				first = l
				if i, err := ringo.TrySelect(ringo.RecvInto(l.Draining(), new(struct{}))); i != -1 {
					t.Errorf("draining from the start: %d, %v", i, err)
				}
				go func() {
					_, err := l.Draining().Recv()
					outside <- err
				}()
			}
			if !drains {
				return nil
			}
			waiting := l.Go(func() {
				var none struct{}
				never := ringo.NewChan[struct{}](0)
				if i, err := ringo.Select(ringo.RecvInto(never, &none), ringo.RecvInto(l.Draining(), &none)); i != 1 ||
					err != ringo.ErrClosed {
					t.Errorf("Select = %d, %v", i, err)
				}
			})
			if l.Index() == 0 {
				l.Sleep(0)
				drain()
			}
			waiting.Wait()
			if _, err := l.Draining().Recv(); err != ringo.ErrClosed {
				t.Errorf("later: %v", err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := receive(t, "the goroutine", outside); err != ringo.ErrClosed {
			t.Errorf("a goroutine is told %v", err)
		}
		if _, err := first.Draining().Recv(); err != ringo.ErrClosed {
			t.Errorf("after Run: %v", err)
		}
	}
	if _, err := new(ringo.Loop).Draining().Recv(); err != ringo.ErrClosed {
		t.Errorf("of no loop: %v", err)
	}
}

// OnDrain starts tasks of its loop once, in order, whoever asks, before the drain and in it; but those that were
// stopped, and none if there is no drain.
func TestOnDrain(t *testing.T) {
	for _, drains := range []bool{true, false} {
		cfg := anyDriver(t)
		cfg.Loops, cfg.Grace = 2, time.Hour
		ctx, drain := context.WithCancel(context.Background())
		defer drain()
		var began []int
		var kept func() bool
		loops, asked := make(chan *ringo.Loop, 1), make(chan bool)
		if err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				first := <-loops // for a moment, it stops its loop
				first.OnDrain(func() { began = append(began, 2) })
				close(asked)
				return nil
			}
			begin := func(n int) func() {
				return func() {
					l.Sleep(0) // a task's right
					began = append(began, n)
				}
			}
			kept = l.OnDrain(begin(1))
			loops <- l
			l.Offload(func(context.Context) error {
				<-asked
				stopped := l.OnDrain(begin(-1))
				if !stopped() || stopped() {
					t.Error("stop is to say true, once")
				}
				l.OnDrain(begin(3))
				return nil
			})
			if !drains {
				return nil
			}
			drain()
			l.Draining().Recv()
			late := ringo.NewChan[int](0)
			l.OnDrain(func() { late.Send(1) })
			_, err := late.Recv()
			return err
		}); err != nil {
			t.Error(err)
		}
		want := []int{1, 2, 3}
		if !drains {
			want = nil
		}
		slices.Sort(began) // one waits, another doesn't
		if !slices.Equal(began, want) {
			t.Errorf("drains %v: %v began, want %v", drains, began, want)
		}
		if kept() == drains {
			t.Errorf("drains %v: stop of what is over says %v", drains, !drains)
		}
	}
}

// Where an error ends the Run, OnDrain's tasks run, cancelled.
func TestOnDrainAtAnError(t *testing.T) {
	cfg := anyDriver(t)
	var seen atomic.Value
	own := errors.New("own")
	err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
		l.OnDrain(func() { seen.Store(l.Sleep(time.Hour)) })
		return own
	})
	if err != own {
		t.Errorf("Run: %v", err)
	}
	if err, _ := seen.Load().(error); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the task's Sleep: %v", err)
	}
}

func TestErrDraining(t *testing.T) {
	if !errors.Is(ringo.ErrDraining, net.ErrClosed) || errors.Is(net.ErrClosed, ringo.ErrDraining) {
		t.Error("ErrDraining is a net.ErrClosed, and no other is it")
	}
}
