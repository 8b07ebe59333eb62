package ringo_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// A context that has ended still lets fn run, into a drain.
func TestContextEndedBeforeRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := false
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			ran = true
			if err := l.Context().Err(); err != nil {
				t.Errorf("the task's context: %v; it must outlive the drain", err)
			}
			return l.Sleep(time.Millisecond)
		})
		if err != nil || !ran {
			t.Errorf("Run: %v, fn ran: %v", err, ran)
		}
	})
}

// Tasks have Grace to end by themselves, and then are cancelled.
func TestGrace(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = 500 * time.Millisecond
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var short, long error
		var ended time.Time
		var took time.Duration
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			l.Go(func() { short = l.Sleep(10 * time.Millisecond) })
			l.Go(func() {
				long = l.Sleep(time.Hour)
				took = time.Since(ended)
			})
			ended = time.Now()
			cancel()
			return nil
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		if short != nil {
			t.Errorf("a task that ended within Grace: %v", short)
		}
		if !errors.Is(long, context.Canceled) || took < cfg.Grace {
			t.Errorf("a task that did not: %v after %v, want a cancel after %v", long, took, cfg.Grace)
		}
	})
}

func TestNegativeGrace(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		cfg.Loops = 2
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		began := time.Now()
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				cancel()
			}
			return l.Sleep(time.Hour)
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// What starts when all is being cancelled starts cancelled, and runs.
func TestTaskStartedAfterCancelOfAll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var late, posted, offloaded error
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			cancel()
			l.Sleep(time.Hour)
			l.Go(func() { late = l.Sleep(time.Millisecond) })
			l.Post(func() { posted = l.Context().Err() })
			return l.Go(func() {
				offloaded = l.Offload(func(context.Context) error { t.Error("Offload ran"); return nil })
			}).Wait()
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		for _, err := range []error{late, posted, offloaded} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a late task's wait: %v, want context.Canceled", err)
			}
		}
	})
}

// A loop ends with its own fn and tasks; the others go on.
func TestLoopsEndOneByOne(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		mustRun(t, cfg, func(l *ringo.Loop) {
			if l.Index() == 0 {
				return
			}
			first := l.Loops()[0]
			sleepUntil(t, l, "the end of loop 0", func() bool { return first.Post(func() {}) != nil })
			if err := first.Post(func() {}); err != ringo.ErrEnded {
				t.Errorf("Post to a loop that ended: %v", err)
			}
			if err := first.Go(func() { t.Error("it ran") }).Wait(); err != ringo.ErrEnded {
				t.Errorf("Wait for a task of a loop that ended: %v", err)
			}
		})
	})
}

func TestAfterTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var l *ringo.Loop
		var task *ringo.Task
		var ticker *ringo.Ticker
		var timer *ringo.Timer
		mustRun(t, cfg, func(loop *ringo.Loop) {
			l, timer, ticker = loop, loop.AfterFunc(time.Hour, func() {}), loop.NewTicker(time.Hour)
			task = l.Go(func() {})
			task.Wait()
		})
		if err := task.Wait(); err != nil {
			t.Errorf("Wait for a task that had ended: %v", err)
		}
		task.Cancel()
		if err := l.Post(func() { t.Error("posted after the end") }); err != ringo.ErrEnded {
			t.Errorf("Post: %v", err)
		}
		late := l.Go(func() { t.Error("started after the end") })
		late.Cancel()
		if err := late.Wait(); err != ringo.ErrEnded {
			t.Errorf("Wait: %v", err)
		}
		for name, f := range taskOnly(l, timer, ticker, ringo.NewGroup(l)) {
			if got := f(); got != ringo.ErrEnded && got != "ringo: "+name+" after the loop has ended" {
				t.Errorf("%s: %v, want ErrEnded or a panic that says so", name, got)
			}
		}
		if s := l.Stats(); s.Turns == 0 || s.Parks == 0 || s.Tasks != 0 {
			t.Errorf("Stats: %+v, want those of the last turn", s)
		}
		if l.Info().Name == "" || len(l.Loops()) != 1 {
			t.Error("Info or Loops have nothing to say any more")
		}
	})
}

// The goroutines of a Run are gone when it returns: the loops', the coroutines'.
func TestRunLeavesNoGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := runtime.NumGoroutine()
		var most atomic.Int64
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 500 {
				l.Go(func() {
					l.Sleep(time.Millisecond)
					most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
				})
			}
			l.Go(func() { runtime.Goexit() })
			l.Offload(func(context.Context) error { return nil })
		})
		if most.Load() < 500 {
			t.Fatalf("%d goroutines at most: this test sees no coroutines", most.Load())
		}
		eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
	})
}

func TestFnEndsByGoexit(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		err := run(t, cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				return l.Sleep(time.Hour)
			}
			runtime.Goexit()
			return nil
		})
		if err != ringo.ErrGoexit {
			t.Errorf("Run: %v, want ErrGoexit", err)
		}
	})
}

func TestFnPanics(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var told atomic.Int64
		cfg.OnPanic = func(*ringo.Loop, any, []byte) { told.Add(1) }
		err := run(t, cfg, func(l *ringo.Loop) error { panic("on purpose") })
		var p *ringo.PanicError
		if !errors.As(err, &p) || p.Value != "on purpose" || !strings.Contains(string(p.Stack), "TestFnPanics") {
			t.Errorf("Run: %v", err)
		}
		equal(t, "calls of OnPanic", told.Load(), 1)
	})
}

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

// Who doesn't end is named by the program's functions, and where there is none, by
// what the program has called.
func TestTasksLeftOfAServer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		defer ringo.SetHardStop(10 * time.Millisecond)()
		cfg.Loops, cfg.Grace = 1, -1
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := set.Addr().String()
		set.Close()

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		held, release := make(chan *ringo.Loop, 1), make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- sock.ListenAndServe(ctx, &cfg, "tcp", addr, func(c *sock.Conn) { holdsItsLoop(c, held, release) })
		}()
		eventually(t, "a connection", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				t.Cleanup(func() { c.Close() })
			}
			return err == nil
		})
		l := receive(t, "the handler", held)
		cancel()
		text := fmt.Sprint(receive(t, "the end", ended))
		close(release)
		_, names, _ := strings.Cut(text, "being cancelled: ")
		got := strings.Split(names, "; ")
		slices.Sort(got)
		if len(got) != 2 || !strings.HasPrefix(got[0], "ringo/sock.serveSets.") ||
			!strings.HasPrefix(got[1], "ringo_test.TestTasksLeftOfAServer.") ||
			!strings.HasSuffix(got[1], " (loop 0), which holds its loop") {
			t.Errorf("%s: want ListenAndServe's task and the handler's", text)
		}
		eventually(t, "the loop's end", func() bool { return l.Post(func() {}) == ringo.ErrEnded })
	})
}

func holdsItsLoop(c *sock.Conn, held chan<- *ringo.Loop, release <-chan struct{}) {
	held <- c.Loop()
	<-release
}

// Tasks in the background go on as long as others do, also in a drain, and are cancelled then; what they do about that
// is waited for.
func TestGoBackground(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops, cfg.Grace = 2, time.Hour
		ctx, drain := context.WithCancel(t.Context())
		defer drain()
		var told, wrote, swept atomic.Int64
		err := runContext(t, ctx, cfg, func(l *ringo.Loop) error {
			ticks := ringo.NewChan[int](0)
			l.GoBackground(func() {
				for n := 0; ; n++ {
					if err := ticks.Send(n); err != nil {
						if errors.Is(err, context.Canceled) {
							told.Add(1)
						}
						break
					}
				}
				l.Go(func() { // all its own waits fail, and those of others don't
					if l.Sleep(time.Millisecond) == nil {
						wrote.Add(1)
					}
				})
			})
			started := make(chan bool)
			go func() {
				defer close(started)
				l.GoBackground(func() { // that has nobody to ask, and ends later than the others
					l.Sleep(time.Hour)
					for range 3 {
						l.Yield()
					}
					swept.Add(1)
				})
			}()
			if err := l.Offload(func(context.Context) error { <-started; return nil }); err != nil {
				return err
			}
			found := 0
			for _, task := range l.Tasks() {
				if task.Background {
					found++
				}
			}
			if found != 2 {
				t.Errorf("%d tasks are in the background, want 2", found)
			}
			if l.Index() == 0 {
				drain()
			}
			for want := range 3 { // in the drain, too
				if n, err := ticks.Recv(); n != want || err != nil {
					t.Errorf("tick %d, %v, want %d", n, err, want)
				}
			}
			l.Go(func() {
				if err := l.Sleep(time.Millisecond); err != nil {
					t.Error(err)
				}
				if n, err := ticks.Recv(); n != 3 || err != nil {
					t.Errorf("tick %d, %v, want 3, when the first task has returned", n, err)
				}
			})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if told.Load() != 2 || wrote.Load() != 2 || swept.Load() != 2 {
			t.Errorf("%d were told, %d wrote, %d swept, want 2 of each", told.Load(), wrote.Load(), swept.Load())
		}
	})
}

// Those that nobody waits for wait for others, by themselves: one that ends ends the wait for it.
func TestGoBackgroundAlone(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		order := ""
		err := run(t, cfg, func(l *ringo.Loop) error {
			first := l.GoBackground(func() {
				l.Sleep(time.Hour)
				order += "a"
			})
			l.GoBackground(func() {
				first.Wait() // a cancel ends it
				order += "b"
			})
			return nil
		})
		if len(order) != 2 || err != nil {
			t.Error(err)
			t.Errorf("%q have ended, want two", order)
		}
	})
}
