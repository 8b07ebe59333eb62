//go:build linux

package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/retry"
	"ringo/sim"
)

func TestMain(m *testing.M) { testmain.Main(m) }

var errTest = errors.New("of the test")

// inWorld runs f as a task of a world, whose time is its own. since is the time since its beginning.
func inWorld(t *testing.T, f func(l *ringo.Loop, since func() time.Duration)) {
	t.Helper()
	sim.RunLoop(t, func(l *ringo.Loop) error {
		begun := l.Now()
		f(l, func() time.Duration { return l.Now().Sub(begun) })
		return nil
	})
}

// about reports whether a time is one, but for what a program takes to run.
func about(d, want time.Duration) bool { return d >= want && d <= want+time.Millisecond }

// onBoth runs f in a task and on a goroutine.
func onBoth(t *testing.T, f func(t *testing.T)) {
	t.Run("task", func(t *testing.T) {
		patience.Within(t.Name(), func() {
			if err := ringo.Run(t.Context(), nil, func(l *ringo.Loop) error {
				if l.Index() == 0 {
					f(t)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("goroutine", func(t *testing.T) { patience.Within(t.Name(), func() { f(t) }) })
}

// quick is a policy that does not wait.
func quick(calls int) *retry.Policy { return &retry.Policy{Calls: calls, Wait: -1} }

// fails returns a function that fails so often, and how often it was called.
func fails(n int) (fn func(context.Context) error, calls *int) {
	calls = new(int)
	return func(context.Context) error {
		if *calls++; *calls <= n {
			return fmt.Errorf("call %d: %w", *calls, errTest)
		}
		return nil
	}, calls
}

// It is tried as often as is said, and the error tells of the last.
func TestDo(t *testing.T) {
	onBoth(t, func(t *testing.T) {
		for _, c := range []struct {
			policy       *retry.Policy
			fails, calls int
			error        string
		}{
			{nil, 0, 1, ""},
			{nil, 2, 3, ""},
			{nil, 3, 3, "retry: 3 calls have failed: call 3: of the test"},
			{quick(1), 1, 1, "call 1: of the test"},
			{quick(5), 4, 5, ""},
			{quick(5), 9, 5, "retry: 5 calls have failed: call 5: of the test"},
			{&retry.Policy{Again: func(err error) bool { return !strings.Contains(err.Error(), "call 2") }, Wait: -1},
				9, 2, "retry: 2 calls have failed: call 2: of the test"},
		} {
			fn, calls := fails(c.fails)
			err := retry.Do(nil, c.policy, fn)
			if *calls != c.calls || fmt.Sprint(err) != c.error && (err != nil || c.error != "") {
				t.Errorf("%d failures: %d calls, %v; want %d, %q", c.fails, *calls, err, c.calls, c.error)
			}
			var told *retry.Error
			if err != nil && (!errors.Is(err, errTest) || errors.As(err, &told) != (c.calls > 1)) {
				t.Errorf("%d failures: %v is a %T", c.fails, err, err)
			}
			if told != nil && told.Calls != c.calls {
				t.Errorf("Error.Calls is %d, want %d", told.Calls, c.calls)
			}
		}
	})
}

// An error that another call would not mend ends it, however it is wrapped, and is the caller's own.
func TestPermanent(t *testing.T) {
	onBoth(t, func(t *testing.T) {
		if retry.Permanent(nil) != nil {
			t.Error("nil is permanent")
		}
		calls := 0
		err := retry.Do(nil, quick(9), func(context.Context) error { calls++; return retry.Permanent(errTest) })
		if !errors.Is(err, errTest) || err.Error() != errTest.Error() || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
		err = retry.Do(nil, quick(9), func(context.Context) error {
			calls++
			return fmt.Errorf("around: %w", retry.Permanent(errTest))
		})
		if err.Error() != "around: of the test" || !errors.Is(err, errTest) || calls != 2 {
			t.Errorf("%d calls, %v", calls, err)
		}
		err = retry.Do(nil, quick(9), func(ctx context.Context) error {
			return retry.Do(ctx, quick(9), func(context.Context) error { calls++; return retry.Permanent(errTest) })
		})
		if !errors.Is(err, errTest) || calls != 3 {
			t.Errorf("of a Do in a Do: %d calls, %v", calls, err)
		}
	})
}

// The clock of a host may be set; budgets, hedges and waits do not go by it.
func TestClockIsSet(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("host")
		var hedged error
		w.Wait(h.Run(nil, func(l *ringo.Loop) error {
			b := retry.NewBudget(0, 1)
			for b.Take() {
			}
			l.AfterFunc(time.Second, func() { h.StepClock(-time.Hour) })
			var v int
			v, hedged = retry.Hedge(nil, &retry.Hedging{After: 2 * time.Second}, hedging(l, new([]int), time.Hour,
				time.Second), nil)
			if v != 1 {
				w.Errorf("Hedge() = %d", v)
			}
			l.Sleep(4500 * time.Millisecond)
			for n := range 8 {
				if b.Take() != (n < 7) {
					w.Errorf("after seven seconds there is a token number %d: %v", n+1, n >= 7)
				}
			}
			return nil
		}))
		if hedged != nil {
			w.Errorf("Hedge() = %v", hedged)
		}
	})
}

// The waits double, up to their bound, and each is random, from none to twice its average.
func TestWaits(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		const rounds = 2000
		sums, most := map[int]time.Duration{}, map[int]time.Duration{}
		for range rounds {
			last, n := since(), 0
			retry.Do(nil, &retry.Policy{Calls: 6, Wait: time.Second, MaxWait: 5 * time.Second},
				func(context.Context) error {
					d := since() - last
					sums[n] += d
					most[n] = max(most[n], d)
					last = since()
					n++
					return errTest
				})
		}
		for n, average := range []time.Duration{0, 1, 2, 4, 5, 5} {
			average *= time.Second
			if got := sums[n] / rounds; got < average*95/100 || got > average*105/100 {
				t.Errorf("before call %d it waited %v on average, want %v", n+1, got, average)
			}
			if got := most[n]; got > 2*average+time.Millisecond || got < average*190/100 {
				t.Errorf("before call %d it waited %v at most, want twice %v", n+1, got, average)
			}
		}
	})
}

// A wait that doubles for long does not wrap around.
func TestLongWaits(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		calls := 0
		l.WithTimeout(4000*time.Hour, func() error {
			return retry.Do(nil, &retry.Policy{Calls: math.MaxInt, Wait: time.Nanosecond, MaxWait: math.MaxInt64},
				func(context.Context) error { calls++; return errTest })
		})
		if calls < 40 || calls > 100 {
			t.Errorf("%d calls in 4000 hours", calls)
		}
	})
}

// Each call has its own time, and the caller's end is an end to all.
func TestEnds(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		calls := 0
		slow := func(ctx context.Context) error {
			calls++
			if by, ok := ctx.Deadline(); !ok || !by.Equal(l.Now().Add(time.Second)) {
				t.Errorf("the context ends at %v, %v", by, ok)
			}
			return l.Sleep(time.Minute)
		}
		policy := &retry.Policy{Wait: -1, Timeout: time.Second}
		err := retry.Do(nil, policy, slow)
		if calls != 3 || !errors.Is(err, os.ErrDeadlineExceeded) || !about(since(), 3*time.Second) {
			t.Errorf("%d calls, %v after %v", calls, err, since())
		}
		calls = 0
		err = l.WithTimeout(2500*time.Millisecond, func() error {
			return retry.Do(nil, policy, func(context.Context) error { calls++; return l.Sleep(time.Minute) })
		})
		if calls != 3 || !errors.Is(err, os.ErrDeadlineExceeded) || !about(since(), 5500*time.Millisecond) {
			t.Errorf("%d calls, %v after %v", calls, err, since())
		}
		// In a call, and between two.
		over := 0
		err = l.WithTimeout(time.Second, func() error {
			return retry.Do(nil, quick(9), func(context.Context) error { over++; return l.Sleep(time.Minute) })
		})
		if over != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d calls, %v", over, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		fn, n := fails(9)
		l.Go(func() {
			l.Sleep(time.Second)
			cancel()
		})
		err = retry.Do(ctx, &retry.Policy{Wait: 1000 * time.Hour, MaxWait: math.MaxInt64}, fn)
		if *n != 1 || err == nil || err.Error() != "call 1: of the test" || since() > 8*time.Second {
			t.Errorf("%d calls, %v after %v", *n, err, since())
		}
		if err := retry.Do(ctx, nil, fn); *n != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %d calls, %v", *n, err)
		}
		task := l.Go(func() {
			l.Sleep(time.Hour)
			if err := retry.Do(nil, nil, fn); *n != 1 || !errors.Is(err, context.Canceled) {
				t.Errorf("in a task that was cancelled: %d calls, %v", *n, err)
			}
		})
		l.Sleep(time.Second)
		task.Cancel()
		task.Wait()
	})
}

// A goroutine's calls have the contexts that a task's have.
func TestEndsOnGoroutine(t *testing.T) {
	calls := 0
	err := retry.Do(nil, &retry.Policy{Wait: -1, Timeout: time.Millisecond}, func(ctx context.Context) error {
		calls++
		<-ctx.Done()
		return ctx.Err()
	})
	if calls != 3 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	fn, n := fails(9)
	err = retry.Do(ctx, &retry.Policy{Wait: 1000 * time.Hour, MaxWait: math.MaxInt64}, func(ctx context.Context) error {
		cancel()
		return fn(ctx)
	})
	if *n != 1 || !errors.Is(err, errTest) {
		t.Errorf("%d calls, %v", *n, err)
	}
}

// While all fails the budget lets its part through, and when all is well it lets anything through.
func TestBudget(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		const rounds = 10000
		b := retry.NewBudget(0.2, 1)
		calls, refused := 0, 0
		policy := quick(3)
		policy.Budget = b
		for range rounds {
			err := retry.Do(nil, policy, func(context.Context) error { calls++; return errTest })
			var told *retry.Error
			if errors.As(err, &told) && told.Refused {
				refused++
				if told.Calls == 1 && err.Error() !=
					"retry: 1 call has failed, and the budget allows no more: of the test" {
					t.Fatal(err)
				}
			}
			l.Sleep(time.Millisecond)
		}
		// A fifth, 10 seconds with one, and what was saved up.
		if want := rounds + rounds/5 + 10 + 10; calls < want-2 || calls > want+2 {
			t.Errorf("%d calls, want %d", calls, want)
		}
		if refused == 0 || b.Refused() != uint64(refused) {
			t.Errorf("Refused() = %d, and %d were", b.Refused(), refused)
		}
		l.Sleep(time.Hour)
		taken := 0
		for b.Take() {
			taken++
		}
		if taken != 10 {
			t.Errorf("%d were saved up, want 10", taken)
		}
		for range 20 {
			b.Call()
		}
		for taken = 0; b.Take(); taken++ {
		}
		if taken != 4 {
			t.Errorf("20 calls allow %d, want 4", taken)
		}
	})
}

// Numbers that are none allow nothing but what is saved up at first.
func TestBudgetOfNothing(t *testing.T) {
	if new(retry.Budget).Take() {
		t.Error("the zero Budget has a token")
	}
	for _, x := range []float64{0, -1, math.Inf(-1), math.NaN()} {
		b := retry.NewBudget(x, x)
		n := 0
		for ; b.Take(); n++ {
			b.Call()
		}
		if n != 10 {
			t.Errorf("NewBudget(%v, %v) allows %d", x, x, n)
		}
	}
	b := retry.NewBudget(math.Inf(1), math.Inf(1))
	for range 1000 {
		if !b.Take() {
			t.Fatal("an infinite Budget has an end")
		}
	}
}

// hedging is of calls that take as long as is said: the second call of Hedge is number 1.
func hedging(l *ringo.Loop, ended *[]int, takes ...time.Duration) func(context.Context) (int, error) {
	n := -1
	return func(context.Context) (int, error) {
		n++
		me := n
		if takes[me] < 0 {
			l.Sleep(-takes[me])
			return me, fmt.Errorf("call %d: %w", me, errTest)
		}
		err := l.Sleep(takes[me])
		*ended = append(*ended, me)
		return me, err
	}
}

// The first result counts, whoever has it, and the others end.
func TestHedge(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		calls int
		takes []time.Duration
		v     int
		after time.Duration
		fails string
		ended string
	}{
		"fast":                {2, []time.Duration{s, s}, 0, s, "", "[0]"},
		"slow":                {2, []time.Duration{9 * s, s}, 1, 3 * s, "", "[1 0]"},
		"not so slow":         {2, []time.Duration{3 * s, 9 * s}, 0, 3 * s, "", "[0 1]"},
		"three":               {3, []time.Duration{9 * s, 9 * s, s}, 2, 5 * s, "", "[2 0 1]"},
		"fails":               {2, []time.Duration{-s, s}, 1, 2 * s, "", "[1]"},
		"fails late":          {2, []time.Duration{-3 * s, 5 * s}, 1, 7 * s, "", "[1]"},
		"all fail":            {2, []time.Duration{-s, -s}, 0, 2 * s, "call 1: of the test", "[]"},
		"the last fails":      {2, []time.Duration{8 * s, -s}, 0, 8 * s, "", "[0]"},
		"one, slow":           {1, []time.Duration{8 * s}, 0, 8 * s, "", "[0]"},
		"one, fails":          {1, []time.Duration{-8 * s}, 0, 8 * s, "call 0: of the test", "[]"},
		"at once, as default": {0, []time.Duration{-1, -1}, 0, 2, "call 1: of the test", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
				ended := []int{}
				v, err := retry.Hedge(nil, &retry.Hedging{After: 2 * s, Calls: c.calls},
					hedging(l, &ended, c.takes...), nil)
				if took := since(); !about(took, c.after) {
					t.Errorf("it took %v, want %v", took, c.after)
				}
				if c.fails != "" {
					if err == nil || err.Error() != c.fails {
						t.Errorf("Hedge() = %v, want %v", err, c.fails)
					}
				} else if v != c.v || err != nil {
					t.Errorf("Hedge() = %d, %v, want %d", v, err, c.v)
				}
				took := since()
				l.Sleep(time.Millisecond) // what is late ends now
				if since() > took+2*time.Millisecond || fmt.Sprint(ended) != c.ended {
					t.Errorf("those have ended: %v, want %s", ended, c.ended)
				}
			})
		})
	}
}

// The budget is asked before each further call, and what it refuses is not waited for.
func TestHedgeBudget(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		b := retry.NewBudget(0, 0)
		for b.Take() {
		}
		ended := []int{}
		h := &retry.Hedging{After: time.Second, Calls: 3, Budget: b}
		if v, err := retry.Hedge(nil, h, hedging(l, &ended, 5*time.Second), nil); v != 0 || err != nil {
			t.Error(v, err)
		}
		if _, err := retry.Hedge(nil, h, hedging(l, &ended, -time.Second/2), nil); !errors.Is(err, errTest) {
			t.Error(err)
		}
		if n := b.Refused(); n != 3 {
			t.Errorf("%d were refused, want 3", n)
		}
	})
}

// What is late is given to whoever asks for it, also if it has not heard that it is.
func TestHedgeLate(t *testing.T) {
	onBoth(t, func(t *testing.T) {
		var n, late atomic.Int32
		gone := make(chan bool)
		all := ringo.NewChan[int32](3)
		v, err := retry.Hedge(nil, &retry.Hedging{Calls: 3}, func(ctx context.Context) (int32, error) {
			me := n.Add(1)
			if me < 3 {
				all.RecvContext(ctx) // until it is too late
			}
			return me, nil
		}, func(v int32) {
			if late.Add(v); late.Load() == 3 {
				close(gone)
			}
		})
		if v != 3 || err != nil {
			t.Errorf("Hedge() = %v, %v", v, err)
		}
		if l, _ := ringo.Current(); l != nil {
			for late.Load() < 3 {
				l.Sleep(0)
			}
		}
		<-gone
	})
}

// The contexts of the calls have the values of the caller's, and end with Hedge.
func TestHedgeContexts(t *testing.T) {
	type key struct{}
	onBoth(t, func(t *testing.T) {
		with := context.WithValue(context.Background(), key{}, 7)
		over := ringo.NewChan[error](1)
		var n atomic.Int32
		fn := func(ctx context.Context) (any, error) {
			if n.Add(1) == 1 {
				_, err := ringo.NewChan[bool](0).RecvContext(ctx)
				over.Send(err)
				return nil, err
			}
			return ctx.Value(key{}), nil
		}
		v, err := retry.Hedge(with, new(retry.Hedging), fn, nil)
		if v != 7 || err != nil {
			t.Errorf("Hedge() = %v, %v", v, err)
		}
		if err, _ := over.Recv(); !errors.Is(err, context.Canceled) {
			t.Errorf("the slow call has ended with %v", err)
		}
		ctx, cancel := context.WithCancel(with)
		n.Store(0)
		_, err = retry.Hedge(ctx, &retry.Hedging{After: math.MaxInt64}, func(ctx context.Context) (any, error) {
			cancel()
			return fn(ctx)
		}, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Hedge() = %v", err)
		}
		over.Recv()
		if _, err = retry.Hedge(ctx, new(retry.Hedging), fn, nil); !errors.Is(err, context.Canceled) || n.Load() != 1 {
			t.Errorf("Hedge() = %v of a context that has ended, and %d calls", err, n.Load())
		}
	})
}

// A call that panics, or ends its goroutine, is told of to who waits.
func TestHedgeStray(t *testing.T) {
	onBoth(t, func(t *testing.T) {
		func() {
			defer func() {
				if p, ok := recover().(*ringo.PanicError); !ok || p.Value != any(errTest) || p.In != "retry" {
					t.Errorf("Hedge has panicked with %v", p)
				}
			}()
			retry.Hedge(nil, &retry.Hedging{Calls: 1}, func(context.Context) (int, error) { panic(errTest) }, nil)
			t.Error("Hedge has returned")
		}()
		_, err := retry.Hedge(nil, &retry.Hedging{Calls: 1}, func(context.Context) (int, error) {
			runtime.Goexit()
			return 0, nil
		}, nil)
		if !errors.Is(err, ringo.ErrGoexit) {
			t.Errorf("Hedge() = %v", err)
		}
	})
}

// What is given wrongly is a programmer's error.
func TestWrong(t *testing.T) {
	for name, f := range map[string]func(){
		"Do":           func() { retry.Do(nil, nil, nil) },
		"Hedge":        func() { retry.Hedge[int](nil, new(retry.Hedging), nil, nil) },
		"Hedge of nil": func() { retry.Hedge(nil, nil, func(context.Context) (int, error) { return 0, nil }, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			f()
		}()
	}
}

// A call that succeeds costs no memory but its caller's.
func TestDoAllocates(t *testing.T) {
	b := retry.NewBudget(0.1, 1)
	p := &retry.Policy{Budget: b}
	n := alloctest.Least(100, 0.1, func() { retry.Do(nil, p, func(context.Context) error { return nil }) })
	if n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}
