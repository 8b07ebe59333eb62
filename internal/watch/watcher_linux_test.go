//go:build linux

package watch_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/sys"
	"ringo/internal/test/looptest"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/internal/watch"
)

// Ways to hold a loop. Each returns once release has been called, which may be
// done more than once.
func byChannel() (hold, release func()) {
	ch := make(chan struct{})
	return func() { <-ch }, sync.OnceFunc(func() { close(ch) })
}

func byMutex() (hold, release func()) {
	var mu sync.Mutex
	mu.Lock()
	return mu.Lock, sync.OnceFunc(mu.Unlock)
}

func byCond() (hold, release func()) {
	var mu sync.Mutex
	c, over := sync.NewCond(&mu), false
	hold = func() {
		mu.Lock()
		defer mu.Unlock()
		for !over {
			c.Wait()
		}
	}
	return hold, func() { mu.Lock(); over = true; mu.Unlock(); c.Signal() }
}

func bySleep() (hold, release func()) {
	var over atomic.Bool
	hold = func() {
		for !over.Load() {
			time.Sleep(50 * time.Millisecond)
		}
	}
	return hold, func() { over.Store(true) }
}

func byComputing() (hold, release func()) {
	var over atomic.Bool
	hold = func() {
		for !over.Load() {
		}
	}
	return hold, func() { over.Store(true) }
}

func byRead() (hold, release func()) {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		panic(err)
	}
	hold = func() {
		syscall.Read(p[0], make([]byte, 1))
		syscall.Close(p[0])
	}
	return hold, sync.OnceFunc(func() { syscall.Close(p[1]) })
}

// A task that holds its loop is named while it does, whatever it is that it does,
// with its stack and the rule that it breaks.
func TestComplaints(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (hold, release func())
		want []string
	}{
		{"channel", byChannel, []string{"waits [chan receive]", "watch_test.byChannel.func"}},
		{"mutex", byMutex, []string{"waits [sync.Mutex.Lock]", "sync.(*Mutex).Lock"}},
		{"cond", byCond, []string{"waits [sync.Cond.Wait]", "watch_test.byCond.func"}},
		{"sleep", bySleep, []string{"waits [sleep]", "watch_test.bySleep.func"}},
		{"computing", byComputing, []string{" computes", "watch_test.byComputing.func"}},
		{"read", byRead, []string{"waits [syscall]", "watch_test.byRead.func"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				cfg.Stall = 10 * time.Millisecond
				hold, release := c.make()
				var said atomic.Pointer[string]
				cfg.Complain = func(text string) { said.Store(&text); release() }
				alarm := time.AfterFunc(limit, release)
				defer alarm.Stop()
				err := run(t, cfg, func(l *loop.Loop) error {
					l.Sleep(0)
					return l.Go(func() { hold() }).Wait()
				})
				if err != nil {
					t.Error(err)
				}
				text := said.Load()
				if text == nil {
					t.Fatalf("nobody complained in %v", limit)
				}
				for _, want := range append(c.want, "ringo: loop 0 ", "task ringo/internal/watch_test.TestComplaints.",
					"A task may wait only through Ringo", "Loop.Offload", "10ms", "\ngoroutine ") {
					if !strings.Contains(*text, want) {
						t.Errorf("no %q in:\n%s", want, *text)
					}
				}
			})
		})
	}
}

// A stall, and a hold, are told of also if all loops have slept so long before that nobody looked at them.
func TestStallBehindRest(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Loops, cfg.Stall, cfg.Hold = 2, 10*time.Millisecond, 5*time.Millisecond
		stalls := make(chan int, 10)
		cfg.OnStall = func(l *loop.Loop, _ time.Duration, _ []byte) { stalls <- l.Index() }
		cfg.Complain = func(string) {}
		over := make(chan struct{})
		err := run(t, cfg, func(l *loop.Loop) error {
			return l.Offload(func(context.Context) error {
				if l.Index() != 0 {
					<-over
					return nil
				}
				defer close(over)
				for _, to := range l.Set().Loops() {
					patience.Until(t, "the watcher's rest", func() bool { return watch.WatcherRests(l) })
					hold, release := byChannel()
					to.Post(hold)
					if at := patience.Recv(t, "the stall", stalls); at != to.Index() {
						t.Errorf("a stall of loop %d, want %d", at, to.Index())
					}
					release()
					patience.Until(t, "the hold", func() bool { return len(watch.Holds(to)) > 0 })
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Beside very many tasks the program is not stopped to find a stack, unless
// somebody asked for it.
func TestComplaintBesideMany(t *testing.T) {
	cfg := small(anyDriver(t))
	cfg.Stall = 10 * time.Millisecond
	hold, release := byChannel()
	said := make(chan string, 100)
	var holds atomic.Bool
	var clock looptest.Clock
	cfg.Clock = clock.Now
	cfg.Complain = func(text string) {
		if !holds.Load() {
			clock.Jump(time.Minute) // the crowd was a stall itself; the next counts
			return
		}
		said <- text
		release()
	}
	err := run(t, cfg, func(l *loop.Loop) error {
		crowd := make([]*loop.Task, 1<<14)
		for i := range crowd {
			crowd[i] = l.Go(func() { l.Park(nil) })
		}
		for turns := l.Turn(); l.Turn() < turns+uint64(len(crowd)/cfg.Budget)+2; {
			l.Sleep(0)
		}
		holds.Store(true)
		alarm := time.AfterFunc(limit, release)
		hold()
		alarm.Stop()
		for _, task := range crowd {
			l.Ready(task)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if text := receive(t, "a complaint", said); !strings.Contains(text, "waits\n") ||
		!strings.Contains(text, "No stack: there are too many tasks") {
		t.Error(text)
	}
}

// One complaint of a loop in ten seconds; the next says how much it did not say.
func TestComplaintsAreFew(t *testing.T) {
	t.Parallel()
	cfg := small(anyDriver(t))
	cfg.Stall = 5 * time.Millisecond
	var clock looptest.Clock
	cfg.Clock = clock.Now
	said := make(chan string, 10)
	cfg.Complain = func(text string) {
		if text = testmain.Uncrowded(text); text != "" { // other tests' loops are beside this one
			said <- text
		}
	}
	err := run(t, cfg, func(l *loop.Loop) error {
		hold := func() { <-time.After(30 * cfg.Stall); l.Sleep(0) }
		for len(said) == 0 {
			hold()
		}
		text := <-said
		if strings.Contains(text, "Since the last report") {
			t.Errorf("the first has one before it:\n%s", text)
		}
		// a busy machine may hide turns from the watcher
		for began := time.Now(); !strings.Contains(text, "Since the last report "); {
			for range 3 {
				hold()
			}
			if n := len(said); n > 0 {
				t.Fatalf("%d more complaints at once", n)
			}
			clock.Jump(time.Minute)
			l.Sleep(0)
			for len(said) == 0 && time.Since(began) < limit {
				hold()
			}
			if time.Since(began) >= limit {
				t.Fatal("no complaint that tells of others before it")
			}
			text = <-said
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A loop that is held for good is told of also if it was told of just before: when the time for that has come.
func TestHeldForGoodAfterAComplaint(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cfg.Stall = 10 * time.Millisecond
		var clock looptest.Clock
		cfg.Clock = clock.Now
		said := make(chan string, 10)
		cfg.Complain = func(text string) {
			if text = testmain.Uncrowded(text); text != "" {
				said <- text
			}
		}
		err := run(t, cfg, func(l *loop.Loop) error {
			return l.Offload(func(context.Context) error {
				looked := func() { // while the loop is held, the watcher alone asks for the time
					from := clock.Reads.Load()
					patience.Until(t, "looks", func() bool { return clock.Reads.Load() > from+500 })
				}
				for _, soon := range []bool{false, true} {
					hold, release := byChannel()
					defer release()
					l.Post(hold)
					if soon {
						looked()
						if n := len(said); n > 0 {
							t.Errorf("%d more complaints at once", n)
						}
						clock.Jump(loop.ComplainEvery)
						looked()
						if len(said) == 0 {
							t.Error("no complaint of a loop that is held for good")
							return nil
						}
					}
					if text := patience.Recv(t, "a complaint", said); !strings.Contains(text, "byChannel") {
						t.Error(text)
					}
					release()
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A loop that has ended while others go on is in no turn.
func TestNoComplaintOfAnEndedLoop(t *testing.T) {
	t.Parallel()
	cfg := small(anyDriver(t))
	cfg.Loops, cfg.Stall = 2, 5*time.Millisecond
	cfg.Complain = func(text string) {
		if text = testmain.Uncrowded(text); text != "" {
			t.Error(text)
		}
	}
	err := run(t, cfg, func(l *loop.Loop) error {
		if l.Index() == 0 {
			l.Sleep(20 * cfg.Stall)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A loop whose thread the machine does not run is nobody's fault. A virtual machine that is itself not run is another
// matter: the clock of the thread goes on meanwhile, as if the thread computed.
func TestNoComplaintOfABusyMachine(t *testing.T) {
	cpus, err := sys.CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := small(anyDriver(t))
	cfg.Stall = 20 * time.Millisecond
	var complaints atomic.Pointer[string]
	cfg.Complain = func(text string) { complaints.Store(&text) }
	var over atomic.Bool
	spun := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its affinity
		spun <- sys.SetCPUs(0, cpus[:1])
		for !over.Load() {
		}
	}()
	defer over.Store(true)
	if err := <-spun; err != nil {
		t.Fatal(err)
	}
	var mostUsed time.Duration // by the thread, from one turn to the next
	err = run(t, cfg, func(l *loop.Loop) error {
		tid := sys.Gettid()
		if err := sys.SetCPUs(0, cpus[:1]); err != nil {
			return err
		}
		// The other one's share is many times as large now: 340, or 5 if this process is at its most nice.
		idle := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
		if err := unix.SchedSetAttr(0, &idle, 0); err != nil {
			return err
		}
		last := int64(0)
		for began := time.Now(); census.StatsOf(l).Stalls < 3; l.Sleep(0) {
			used, ok := sys.ThreadCPU(tid)
			if !ok {
				t.Fatal("no clock of the thread")
			}
			if last != 0 {
				mostUsed = max(mostUsed, time.Duration(used-last))
			}
			last = used
			for now := used; now-used < int64(time.Millisecond); now, _ = sys.ThreadCPU(tid) {
			}
			if time.Since(began) > limit {
				t.Fatal("the machine runs the loop all the time")
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	switch text := complaints.Load(); {
	case text == nil:
	case mostUsed >= cfg.Stall/4: // a turn is of one such time, or of parts of two
		t.Skipf("the thread's clock says that it ran for %v in a turn of 1 ms: this machine is not run all the time",
			mostUsed)
	default:
		t.Error(*text)
	}
}
