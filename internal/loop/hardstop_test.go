package loop_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/test/patience"
)

// Programs whose tasks don't end when they are cancelled, until they are released.
// Run must find their names.
var (
	begun    atomic.Pointer[func()] // they call it when a cancel is too late
	released atomic.Pointer[chan struct{}]
)

// stubborn makes the programs call begin once n tasks are where they will stay.
func stubborn(n int64, begin func()) (release func()) {
	ch := make(chan struct{})
	released.Store(&ch)
	count := func() {
		if atomic.AddInt64(&n, -1) == 0 {
			begin()
		}
	}
	begun.Store(&count)
	return func() { close(ch) }
}

func spins(l *loop.Loop) error {
	(*begun.Load())()
	for {
		select {
		case <-*released.Load():
			return nil
		default:
			l.Sleep(0)
		}
	}
}

func holds(l *loop.Loop) error {
	(*begun.Load())()
	<-*released.Load()
	return nil
}

func iterates(l *loop.Loop) error {
	next, stop := iter.Pull(iter.Seq[int](func(yield func(int) bool) { holds(l) }))
	defer stop()
	next()
	return nil
}

func offloads(l *loop.Loop) error {
	l.Offload(func(context.Context) error { return holds(l) })
	return nil
}

func startsTask(l *loop.Loop) error {
	l.Go(func() { l.Sleep(time.Hour) })
	l.Go(func() { holds(l) })
	return nil
}

func posts(l *loop.Loop) error {
	for range 3 {
		l.Post(func() { offloads(l) })
	}
	return nil
}

// Run gives up on tasks some time after it has cancelled them, and names them.
func TestHardStop(t *testing.T) {
	for _, c := range []struct {
		name  string
		fn    func(l *loop.Loop) error
		tasks int64
		want  string
	}{
		{"fn that spins", spins, 1, "loop_test.spins (loop 0)"},
		{"fn that holds the loop", holds, 1, "loop_test.holds (loop 0), which holds its loop"},
		{"iterator that holds the loop", iterates, 1, "loop_test.iterates (loop 0), which holds its loop"},
		{"fn in Offload", offloads, 1, "loop_test.offloads (loop 0)"},
		{"task that holds the loop", startsTask, 1, "loop_test.startsTask.func2 (loop 0), which holds its loop"},
		{"posts in Offload", posts, 3, "3 × ringo/internal/loop_test.posts.func1 (loop 0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				cfg.HardStop, cfg.Grace = 50*time.Millisecond, -1
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				release := stubborn(c.tasks, cancel)
				began := time.Now()
				err := runContext(t, ctx, cfg, c.fn)
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "50ms") {
					t.Errorf("Run: %v\nwant it to name %s", err, c.want)
				}
				if d := time.Since(began); d < cfg.HardStop {
					t.Errorf("Run gave up after %v", d)
				}
				// The loop is left to end by itself; then nothing is left of it.
				release()
				patience.Until(t, "the end of all goroutines of the loop", func() bool {
					return !strings.Contains(patience.Stacks(), "ringo/internal/loop.(")
				})
			})
		})
	}
}

// rung is the machine with a clock that the test sets, and alarms that it rings.
type rung struct {
	loop.World
	passed atomic.Int64
	alarms chan func()
	in     chan time.Duration // for when they are
}

func (w *rung) After(d time.Duration, fn func()) (stop func() bool) {
	w.in <- d
	w.alarms <- fn
	return func() bool { return true }
}

// Run gives up on cancelled tasks an hour, which is HardStop here, after the last of them that has ended, and six hours
// after the cancel at the latest. Time that a loop's thread has waited for a processor does not count.
func TestHardStopAwaitsEnds(t *testing.T) {
	const minutes = time.Minute
	for _, c := range []struct {
		name  string
		tasks int
		ends  []time.Duration // of tasks, so long after the alarm before was set
		rings []time.Duration // for when each alarm is set
		queue time.Duration   // how long the thread waits for a processor, by the first alarm
		want  string          // nothing: Run returns nil
	}{
		{"none ends", 1, nil, []time.Duration{60 * minutes}, 0, "not ended 1h0m0s after"},
		{"one ends", 2, []time.Duration{minutes}, []time.Duration{60 * minutes, minutes}, 0, "not ended 1h0m0s after"},
		{"a busy machine", 1, nil, []time.Duration{60 * minutes, 30 * minutes}, 30 * minutes, "not ended 1h0m0s after"},
		{"no processor", 1, nil, []time.Duration{60 * minutes, 300 * minutes}, 500 * minutes, "not ended 6h0m0s after"},
		{"one after the other", 8,
			append([]time.Duration{50 * minutes}, slices.Repeat([]time.Duration{40 * minutes}, 6)...),
			append([]time.Duration{60 * minutes}, slices.Repeat([]time.Duration{50 * minutes}, 6)...),
			0, "not ended 6h0m0s after"},
		{"all end", 2, []time.Duration{minutes, minutes}, []time.Duration{60 * minutes, minutes}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				w := &rung{World: loop.Machine, alarms: make(chan func(), 1), in: make(chan time.Duration, 1)}
				epoch := time.Now()
				cfg.World, cfg.HardStop, cfg.Grace = w, time.Hour, -1
				defer loop.SetThreadQueued(func(int32) (int64, bool) {
					if w.passed.Load() == 0 {
						return int64(minutes), c.queue > 0
					}
					return int64(minutes + c.queue), c.queue > 0
				})()
				cfg.Clock, cfg.Since = func() time.Time { return epoch.Add(time.Duration(w.passed.Load())) }, nil
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				gates, ended := make([]chan struct{}, c.tasks), make(chan error, c.tasks)
				for i := range gates {
					gates[i] = make(chan struct{})
				}
				var begun atomic.Int64
				result := make(chan error, 1)
				go func() {
					result <- runContext(t, ctx, cfg, func(l *loop.Loop) error {
						for _, gate := range gates {
							l.Go(func() {
								l.Offload(func(context.Context) error {
									if begun.Add(1) == int64(c.tasks) {
										cancel()
									}
									<-gate
									return nil
								})
							}).Then(func(err error) { ended <- err })
						}
						return nil
					})
				}()
				for i, in := range c.rings {
					d, ring := receive(t, "an alarm", w.in), receive(t, "what it rings", w.alarms)
					if d.Round(time.Second) != in {
						t.Errorf("alarm %d is set for in %v, want %v", i, d, in)
					}
					if i < len(c.ends) {
						w.passed.Add(int64(c.ends[i]))
						close(gates[i])
						receive(t, "the end of a task", ended)
						d -= c.ends[i]
					}
					if c.want == "" && i+1 == len(c.rings) {
						break
					}
					w.passed.Add(int64(d))
					ring()
				}
				err := receive(t, "the end of Run", result)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("Run: %v, want %q", err, c.want)
				}
				for _, gate := range gates[min(len(c.ends), len(c.rings)):] {
					close(gate)
				}
			})
		})
	}
}

// The error that made everything end is not lost behind those that it left.
func TestHardStopAfterError(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.HardStop = 50 * time.Millisecond
		cfg.Loops = 2
		begun := make(chan struct{})
		defer stubborn(1, func() { close(begun) })()
		err := run(t, cfg, func(l *loop.Loop) error {
			if l.Index() == 0 {
				return offloads(l)
			}
			l.Offload(func(context.Context) error { <-begun; return nil })
			return io.ErrUnexpectedEOF
		})
		if !errors.Is(err, io.ErrUnexpectedEOF) ||
			!strings.Contains(err.Error(), "loop_test.TestHardStopAfterError.func1") {
			t.Errorf("Run: %v, want fn's error and the name of what is left", err)
		}
	})
}

// A crowd of tasks does not make a crowd of words.
func TestHardStopNamesAreBounded(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.HardStop, cfg.Grace, cfg.Loops, cfg.Offload = 50*time.Millisecond, -1, 30, 300
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer stubborn(300, cancel)()
	err := runContext(t, ctx, cfg, func(l *loop.Loop) error {
		for range 10 {
			l.Go(func() { offloads(l) })
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "10 × ") || !strings.HasSuffix(err.Error(), "and 100 more") ||
		len(err.Error()) > 3000 {
		t.Errorf("Run: %v, want twenty loops with ten tasks each, and that there are a hundred tasks more", err)
	}
}

// The time of the last end is that of the end, and not that of the beginning of a turn that takes long.
func TestHardStopAfterALongTurn(t *testing.T) {
	const minutes = time.Minute
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		w := &rung{World: loop.Machine, alarms: make(chan func(), 1), in: make(chan time.Duration, 1)}
		epoch := time.Now()
		cfg.World, cfg.HardStop, cfg.Grace = w, time.Hour, -1
		defer loop.SetThreadQueued(func(int32) (int64, bool) { return 0, false })()
		cfg.Clock, cfg.Since = func() time.Time { return epoch.Add(time.Duration(w.passed.Load())) }, nil
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		gate, turn := make(chan struct{}), make(chan struct{})
		ended, result := make(chan error, 1), make(chan error, 1)
		go func() {
			result <- runContext(t, ctx, cfg, func(l *loop.Loop) error {
				l.Go(func() {
					l.Sleep(1000 * time.Hour)
					<-turn
					w.passed.Add(int64(50 * minutes))
				}).Then(func(err error) { ended <- err })
				l.Go(func() {
					l.Offload(func(context.Context) error { cancel(); <-gate; return nil })
				})
				return nil
			})
		}()
		in, ring := receive(t, "an alarm", w.in), receive(t, "what it rings", w.alarms)
		close(turn)
		receive(t, "the end of a task", ended)
		w.passed.Add(int64(in - 50*minutes))
		ring()
		select {
		case in := <-w.in:
			if in.Round(time.Second) != 50*minutes {
				t.Errorf("the next alarm is set for in %v, want 50m", in)
			}
		default:
			t.Error("Run gives up an hour after the cancel, 10 minutes after the end of a task")
		}
		close(gate)
		receive(t, "the end of Run", result)
	})
}
