//go:build linux

package rate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/rate"
	"ringo/sim"
)

func TestMain(m *testing.M) { testmain.Main(m) }

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

// The tokens that are saved up go at once, and then one an interval.
func TestRate(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		limiter := rate.NewLimiter(10, 3)
		for i := range 20 {
			if err := limiter.Wait(nil); err != nil {
				t.Fatal(err)
			}
			if want := time.Duration(max(0, i-2)) * 100 * time.Millisecond; !about(since(), want) {
				t.Errorf("token %d came after %v, want %v", i, since(), want)
			}
		}
		l.Sleep(time.Hour)
		if n := limiter.Tokens(); n != 3 {
			t.Errorf("%v tokens are saved up, want 3", n)
		}
	})
}

// Who waits for many is not overtaken by those that want few.
func TestOrder(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		limiter := rate.NewLimiter(1, 10)
		limiter.AllowN(10)
		var order []int
		g := ringo.NewGroup(l)
		for _, n := range []int{7, 1, 3} {
			g.Go(func() error {
				err := limiter.WaitN(nil, n)
				order = append(order, n)
				return err
			})
			l.Sleep(0)
		}
		l.Sleep(5 * time.Second)
		if limiter.Allow() {
			t.Error("a token was to be had before those that wait")
		}
		if err := g.Wait(); err != nil || fmt.Sprint(order) != "[7 1 3]" || !about(since(), 11*time.Second) {
			t.Errorf("%v after %v: %v", order, since(), err)
		}
	})
}

// One that gives up has taken nothing, wherever in line it was, and those behind it get their tokens as if it had never
// been there.
func TestGivesUp(t *testing.T) {
	for place := range 3 {
		inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
			limiter := rate.NewLimiter(1, 10)
			limiter.AllowN(10)
			var tasks []*ringo.Task
			for i := range 3 {
				tasks = append(tasks, l.Go(func() {
					if err := limiter.WaitN(nil, 2); i == place && err != context.Canceled || i != place && err != nil {
						t.Errorf("WaitN of the %d.: %v", i, err)
					}
				}))
				l.Sleep(0)
			}
			l.Sleep(time.Second)
			tasks[place].Cancel()
			for _, task := range tasks {
				task.Wait()
			}
			if !about(since(), 4*time.Second) {
				t.Errorf("without the %d. it took %v, want 4s", place, since())
			}
		})
	}
}

// What would come too late fails at once, and takes no tokens; what comes in time does not.
func TestTooLate(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		limiter := rate.NewLimiter(1, 5)
		limiter.AllowN(5)
		err := l.WithTimeout(3*time.Second, func() error { return limiter.WaitN(nil, 4) })
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) || since() != 0 {
			t.Errorf("WaitN of what comes too late: %v, after %v", err, since())
		}
		if err := l.WithTimeout(5*time.Second, func() error { return limiter.WaitN(nil, 4) }); err != nil {
			t.Errorf("WaitN of what comes in time: %v", err)
		}
		if !about(since(), 4*time.Second) {
			t.Errorf("it took %v, want 4s", since())
		}
		first := l.Go(func() { limiter.WaitN(nil, 4) })
		l.Sleep(0)
		if err := l.WithTimeout(5*time.Second, func() error { return limiter.WaitN(nil, 2) }); err == nil {
			t.Error("WaitN of what comes too late behind another gives nil")
		}
		if !about(since(), 4*time.Second) {
			t.Errorf("it failed after %v, want 4s, at once", since())
		}
		first.Wait()
		// What was in time is not any more: the timeout itself ends the wait.
		changes := l.Go(func() { l.Sleep(time.Second); limiter.SetLimit(0) })
		err = l.WithTimeout(3*time.Second, func() error { return limiter.WaitN(nil, 2) })
		if !errors.Is(err, os.ErrDeadlineExceeded) || !about(since(), 11*time.Second) {
			t.Errorf("WaitN of what was in time: %v, after %v", err, since())
		}
		changes.Wait()
	})
	limiter := rate.NewLimiter(rate.Every(1000*time.Hour), 1)
	limiter.Allow()
	ctx, end := context.WithDeadline(context.Background(), patience.Deadline())
	defer end()
	if err := limiter.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait of a goroutine for what comes too late: %v", err)
	}
	end()
	if err := limiter.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a context that has ended: %v", err)
	}
}

// Those that wait count for who asks how long it would take, until they give up; a context ends a task's wait.
func TestWanted(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		limiter := rate.NewLimiter(1, 5)
		limiter.AllowN(5)
		ctx, end := context.WithCancel(context.Background())
		first := l.Go(func() {
			if err := limiter.WaitN(ctx, 2); !errors.Is(err, context.Canceled) || !about(since(), time.Second) {
				t.Errorf("WaitN of a context that ends: %v after %v", err, since())
			}
		})
		l.Sleep(0)
		ask := func() error { return limiter.WaitN(nil, 2) }
		err := l.WithTimeout(3*time.Second, ask)
		if !errors.Is(err, context.DeadlineExceeded) || since() >= time.Second {
			t.Errorf("WaitN of what comes too late behind another: %v after %v", err, since())
		}
		l.Sleep(time.Second)
		end()
		first.Wait()
		if err := l.WithTimeout(2*time.Second, ask); err != nil || !about(since(), 2*time.Second) {
			t.Errorf("WaitN behind one that has given up: %v after %v", err, since())
		}
	})
}

// Another limit counts for those that wait.
func TestSetLimit(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
		limiter := rate.NewLimiter(rate.Every(time.Hour), 4)
		limiter.AllowN(4)
		g := ringo.NewGroup(l)
		for range 2 {
			g.Go(func() error { return limiter.WaitN(nil, 2) })
		}
		l.Sleep(30 * time.Minute) // half a token
		limiter.SetLimit(1)
		if err := g.Wait(); err != nil || !about(since(), 30*time.Minute+3500*time.Millisecond) {
			t.Errorf("4 tokens took %v: %v", since(), err)
		}
		waits := l.Go(func() {
			if err := limiter.WaitN(nil, 3); err == nil {
				t.Error("WaitN of more than are saved up now gives nil")
			}
		})
		l.Sleep(time.Second)
		limiter.SetBurst(2)
		waits.Wait()
		g.Go(func() error { return limiter.WaitN(nil, 2) })
		limiter.SetLimit(rate.Inf)
		if err := g.Wait(); err != nil || limiter.Limit() != rate.Inf || limiter.Burst() != 2 {
			t.Errorf("WaitN of an endless rate: %v", err)
		}
	})
}

func TestBounds(t *testing.T) {
	var zero rate.Limiter
	if zero.Allow() || !zero.AllowN(0) || zero.Tokens() != 0 {
		t.Error("the zero Limiter has tokens")
	}
	const want = "rate: 1 tokens are wanted at once, and 0 at most are saved up"
	if err := zero.Wait(nil); err == nil || err.Error() != want {
		t.Errorf("Wait of the zero Limiter: %v", err)
	}
	if !rate.NewLimiter(rate.Inf, 0).AllowN(math.MaxInt) || rate.NewLimiter(0, 1).AllowN(2) {
		t.Error("an endless rate has an end, or none has tokens")
	}
	if rate.Every(0) != rate.Inf || rate.Every(time.Millisecond) != 1000 {
		t.Error("Every")
	}
	defer func() {
		if v := recover(); v != "rate: -1 tokens" {
			t.Errorf("AllowN(-1): %v", v)
		}
	}()
	zero.AllowN(-1)
}

// A limit that is no rate gives none, as 0 does, and one beyond Inf as much as that.
func TestOddLimits(t *testing.T) {
	for _, limit := range []rate.Limit{0, -1, -1e-300, rate.Limit(math.Inf(-1)), rate.Limit(math.NaN())} {
		inWorld(t, func(l *ringo.Loop, since func() time.Duration) {
			limiter := rate.NewLimiter(limit, 2)
			limiter.AllowN(2)
			l.Sleep(time.Hour)
			if limiter.Allow() || limiter.Tokens() != 0 {
				t.Errorf("limit %v has given tokens: %v", limit, limiter.Tokens())
				return
			}
			err := l.WithTimeout(time.Hour, func() error { return limiter.Wait(nil) })
			if !errors.Is(err, context.DeadlineExceeded) || !about(since(), time.Hour) {
				t.Errorf("limit %v: Wait gave %v after %v", limit, err, since())
				return
			}
			l.AfterFunc(time.Second, func() { limiter.SetLimit(1) })
			if err := limiter.Wait(nil); err != nil || !about(since(), time.Hour+2*time.Second) {
				t.Errorf("limit %v, then 1: %v after %v", limit, err, since())
			}
		})
	}
	if limiter := rate.NewLimiter(rate.Limit(math.Inf(1)), 0); !limiter.AllowN(5) {
		t.Error("a limit beyond Inf does not give what is asked for")
	}
}

// A task that takes what is there lets others run all the same.
func TestYields(t *testing.T) {
	inWorld(t, func(l *ringo.Loop, _ func() time.Duration) {
		limiter := rate.NewLimiter(rate.Inf, 0)
		ran := false
		l.Go(func() { ran = true })
		for range 100_000 {
			if limiter.Wait(nil); ran {
				return
			}
		}
		t.Error("another task has not run")
	})
}

// What ends a wait at the moment when its token comes gives its own error, or the token.
func TestEndsWithToken(t *testing.T) {
	for how := range 4 {
		t.Run(fmt.Sprint(how), func(t *testing.T) {
			inWorld(t, func(l *ringo.Loop, _ func() time.Duration) {
				limiter := rate.NewLimiter(1, 1)
				limiter.Allow()
				ctx, end := context.WithCancel(context.Background())
				cancels := func() { l.Sleep(time.Second); end() }
				waits := func() {
					var err error
					if how < 2 {
						err = limiter.Wait(ctx)
					} else {
						err = l.WithContext(ctx, func() error { return limiter.Wait(nil) })
					}
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("Wait: %v", err)
					}
				}
				both := []func(){cancels, waits}
				first, second := l.Go(both[how%2]), l.Go(both[1-how%2])
				first.Wait()
				second.Wait()
			})
		})
	}
}

// late is a context that ends without telling by its channel.
type late struct {
	context.Context
	asked *int
	from  int
}

// Done is of no end.
func (c late) Done() <-chan struct{} { return make(chan struct{}) }

// Err has ended when it was asked so often.
func (c late) Err() error {
	if *c.asked++; *c.asked > c.from {
		return context.Canceled
	}
	return nil
}

func TestEndsWithTokenGoroutine(t *testing.T) {
	for from := range 10 {
		limiter := rate.NewLimiter(1000, 1)
		limiter.Allow()
		n := 0
		err := limiter.Wait(late{context.Background(), &n, from})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
	}
}

// Tasks of two loops and goroutines get no more than there is, with timeouts at all moments.
func TestStorm(t *testing.T) {
	const burst = 5
	limiter := rate.NewLimiter(20_000, burst)
	var got atomic.Int64
	begun := time.Now()
	work := func() {
		for n := range 200 {
			ctx, end := context.WithTimeout(context.Background(), time.Duration(rand.IntN(800))*time.Microsecond)
			if n%4 == 0 {
				ctx = nil
			}
			switch err := limiter.WaitN(ctx, 1+n%3); {
			case err == nil:
				got.Add(int64(1 + n%3))
			case ctx == nil || !errors.Is(err, context.DeadlineExceeded):
				t.Errorf("WaitN: %v", err)
			}
			end()
		}
	}
	patience.Within(t.Name(), func() {
		err := ringo.Run(t.Context(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
			var done ringo.WaitGroup
			for i := range 3 {
				done.Go(work)
				if i < 2 {
					done.Add(1)
					go func() { defer done.Done(); work() }()
				}
			}
			done.Wait()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if most := burst + 20_000*time.Since(begun).Seconds(); float64(got.Load()) > most+1 || got.Load() == 0 {
		t.Errorf("%d tokens were taken, and there were %v", got.Load(), most)
	}
	if !limiter.AllowN(0) {
		t.Error("somebody still waits")
	}
}

func TestAllocations(t *testing.T) {
	limiter := rate.NewLimiter(1e9, 1000)
	err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(*ringo.Loop) error {
		if n := alloctest.Least(100, 0.1, func() { limiter.Wait(nil); limiter.Allow() }); n > 0.1 {
			t.Errorf("%v allocations where there are tokens", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
