//go:build linux

package ringo_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/debug"
	"ringo/event"
	"ringo/internal/test/testmain"
	"ringo/metrics"
	"ringo/sock"
	"ringo/uring"
)

// A loop is one thread, which no other loop or goroutine uses, and which ends with
// it: with what the kernel and Place have tied to it.
func TestLoopIsAThread(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		threads := make([]int, cfg.Loops)
		mustRun(t, cfg, func(l *ringo.Loop) {
			tid := syscall.Gettid()
			threads[l.Index()] = tid
			same := func() { equal(t, "thread", syscall.Gettid(), tid) }
			for range 20 {
				l.Go(func() { same(); l.Sleep(0); same() })
				l.Post(func() { iterator(func() { l.Sleep(0); same() }) })
				l.AfterFunc(0, same)
				l.Sleep(0)
				same()
			}
			var goroutines sync.WaitGroup
			for range 20 {
				goroutines.Go(func() {
					if syscall.Gettid() == tid {
						t.Error("a goroutine runs on the loop's thread")
					}
				})
			}
			goroutines.Wait()
		})
		for i, tid := range threads {
			for _, other := range threads[:i] {
				if tid == other {
					t.Errorf("two loops on one thread: %v", threads)
				}
			}
			eventually(t, fmt.Sprintf("the end of thread %d", tid), func() bool {
				_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
				return os.IsNotExist(err)
			})
		}
	})
}

// A task may lock its thread for as long as it does not wait.
func TestTaskLocksItsThread(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			for range 3 {
				runtime.LockOSThread()
				runtime.UnlockOSThread()
				if err := l.Sleep(0); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

func init() {
	// Has worked and rests, until a line comes in: with listeners of both sorts, connections on which nothing comes,
	// tasks that wait for others, and a console and metrics that somebody has looked at.
	children["rest"] = func() {
		cfg := small(os.Getenv("RINGO_TEST_DRIVER"))
		cfg.Loops, cfg.Grace = 2, -1
		ctx, end := context.WithCancel(context.Background())
		var loops sync.WaitGroup
		loops.Add(cfg.Loops)
		go func() {
			loops.Wait()
			for _, path := range []string{"/", "/api/loops", "/api/tasks", "/api/holds"} {
				debug.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
			}
			metrics.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			fmt.Println("rests with GOMAXPROCS", runtime.GOMAXPROCS(0))
			bufio.NewReader(os.Stdin).ReadString('\n')
			end()
		}()
		err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			if _, err := event.On(l).Listen("tcp", "127.0.0.1:0", event.Base{}); err != nil {
				return err
			}
			dialed, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			accepted, err := ln.Accept()
			if err != nil {
				return err
			}
			for _, c := range []net.Conn{dialed, accepted} {
				l.Go(func() { c.Read(make([]byte, 1)) })
			}
			var mu ringo.Mutex
			mu.Lock()
			l.Go(func() { mu.LockContext(l.Context()) })
			l.Go(func() { l.Sleep(time.Hour) })
			l.Offload(func(context.Context) error { return nil })
			time.Sleep(20 * time.Millisecond) // a hold, behind which the loop is looked at often
			loops.Done()
			_, err = ln.Accept()
			return err
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			fmt.Println(err)
		}
	}
}

// A process whose loops sleep is at rest: nobody looks at them meanwhile.
func TestRest(t *testing.T) {
	t.Parallel()
	const (
		span  = time.Second
		spans = 40 // at the most, until one is at rest
		wakes = 2  // in a span
	)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cmd := child(t, "rest", "RINGO_TEST_DRIVER="+cfg.Driver, "RINGO_DRIVER=")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		if !strings.HasPrefix(line, "rests") {
			t.Fatalf("it says %q, and ends with %v", line, cmd.Wait())
		}
		rests := false
		for n := 0; n < spans && !rests; n++ {
			before := voluntarySwitches(t, cmd.Process.Pid)
			time.Sleep(span) // or longer, which makes it no easier
			slept := voluntarySwitches(t, cmd.Process.Pid) - before
			rests = slept <= wakes
			t.Logf("%d wakes", slept)
		}
		if !rests {
			t.Error("it does not come to rest")
		}
		io.WriteString(in, "end\n")
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// voluntarySwitches is how often the threads of a process have gone to sleep. At rest each wake adds one, and on a busy
// machine no more.
func voluntarySwitches(t *testing.T, pid int) (n int) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatal("no threads: ", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Log(err) // it has ended
		}
		for line := range strings.Lines(string(text)) {
			var here int
			if k, _ := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &here); k == 1 {
				n += here
			}
		}
	}
	return n
}

// cpuTime is the processor time that this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// An idle loop takes no turns and no time, whether it may spin or not.
func TestIdleLoopSleeps(t *testing.T) {
	testmain.NeedLong(t, "6 s of nothing to do on each driver")
	for _, spin := range []time.Duration{0, 100 * time.Microsecond, 10 * time.Millisecond} {
		t.Run(spin.String(), func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				const idle = 400 * time.Millisecond
				cfg.Spin, cfg.Loops = spin, 2
				begun, over := make(chan *ringo.Loop, 2), make(chan struct{})
				ended := start(context.Background(), cfg, func(l *ringo.Loop) error {
					begun <- l
					return l.Offload(func(context.Context) error { <-over; return nil })
				})
				loops := []*ringo.Loop{receive(t, "a loop", begun), receive(t, "a loop", begun)}
				<-time.After(2 * spin) // the spin that ends in sleep
				var turns [2]uint64
				for i, l := range loops {
					turns[i] = l.Stats().Turns
				}
				<-time.After(2 * spin)
				before := cpuTime(t)
				<-time.After(idle)
				used := cpuTime(t) - before
				for i, l := range loops {
					// An answer takes a turn, and its wake may take one more.
					if n := l.Stats().Turns - turns[i]; n > 3 {
						t.Errorf("loop %d took %d turns while idle", i, n)
					}
				}
				if limit := idle / 10; used > limit {
					t.Errorf("%v of processor time in %v of nothing to do, want less than %v", used, idle, limit)
				}
				close(over)
				if err := receive(t, "the end of Run", ended); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Spinning loses nothing: timers, posts and other loops' wakes all end it.
func TestSpin(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops, cfg.Spin = 2, time.Second
		began := time.Now()
		beside(t, cfg, func(l *ringo.Loop) {
			for range 20 {
				if err := l.Sleep(time.Millisecond); err != nil {
					t.Error(err)
				}
				l.Loops()[1].Go(func() {}).Wait()
				l.Offload(func(context.Context) error { return nil })
			}
		})
		if took := time.Since(began); took > 10*cfg.Spin { // of more than forty waits
			t.Errorf("took %v: a wake waits for the end of a spin", took)
		}
	})
}

// TestSQPoll: tasks talk where a thread of the kernel's submits, and where there is none to be had.
func TestSQPoll(t *testing.T) {
	refused := pollingThread()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver == "uring" && refused != nil {
			if err := refusal(t, &ringo.Config{Driver: "uring", SQPoll: time.Second}); err == nil {
				t.Errorf("no error, where there is: %v", refused)
			}
			t.Skip(refused)
		}
		cfg.SQPoll = 20 * time.Millisecond
		err := run(t, cfg, func(l *ringo.Loop) error {
			if info := l.Info(); (info.Name == "uring") != slices.Contains(info.Features, "sqpoll") {
				t.Errorf("driver %s with features %v", info.Name, info.Features)
			}
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close()
			l.Go(func() {
				c, err := ln.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if _, err := io.Copy(c, c); err != nil {
					t.Error(err)
				}
			})
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			p := make([]byte, 4)
			for i := range 100 {
				if i == 50 { // longer than the thread looks
					if err := l.Sleep(60 * time.Millisecond); err != nil {
						return err
					}
				}
				want := []byte{byte(i), 1, 2, 3}
				if _, err := c.Write(want); err != nil {
					return err
				}
				if _, err := io.ReadFull(c, p); err != nil {
					return err
				}
				if !slices.Equal(p, want) {
					t.Errorf("got %v, want %v", p, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// pollingThread is why this kernel, or the one that is played, gives no thread to a ring that takes any descriptor.
func pollingThread() error {
	r, err := uring.Open(2, &uring.Config{SQPoll: true})
	if err != nil {
		return err
	}
	defer r.Close()
	if r.Features()&uring.FeatSQPollNonfixed == 0 {
		return &uring.FeatureError{Name: "SQPOLL_NONFIXED", Since: "5.11"}
	}
	return nil
}

// Signals, the profiler and the collector interrupt waits and switches; nothing
// comes of it.
func TestSignalStorm(t *testing.T) {
	const ticksLeast, signalsLeast, collectionsLeast = 100, 10, 2
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		if err := pprof.StartCPUProfile(io.Discard); err != nil {
			t.Skip("a profile is being taken of the tests: ", err)
		}
		defer pprof.StopCPUProfile()
		var over atomic.Bool
		var ticks, signals, collections atomic.Int64
		ended := make(chan struct{}, 2)
		go func() {
			for ; !over.Load(); signals.Add(1) {
				syscall.Kill(syscall.Getpid(), syscall.SIGURG)
				for range 100 {
					runtime.Gosched()
				}
			}
			ended <- struct{}{}
		}()
		go func() {
			for ; !over.Load(); collections.Add(1) {
				runtime.GC()
			}
			ended <- struct{}{}
		}()
		began := time.Now()
		storm := func() bool {
			return ticks.Load() >= ticksLeast && signals.Load() >= signalsLeast &&
				collections.Load() >= collectionsLeast
		}
		goesOn := func() bool { // for a while, and on a slow machine until it was a storm
			took := time.Since(began)
			return took < 300*time.Millisecond || !storm() && took < limit/2
		}
		err := run(t, cfg, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			for i := range 50 {
				g.Go(func() error {
					for goesOn() {
						began, d := time.Now(), time.Duration(i)*37*time.Microsecond
						if err := l.Sleep(d); err != nil {
							return err
						}
						if time.Since(began) < d {
							t.Error("a short sleep")
						}
						ticks.Add(1)
						if i%10 == 0 {
							l.Loops()[1-l.Index()].Post(func() { ticks.Add(1) })
							iterator(func() { l.Sleep(0) })
						}
						if i%10 == 1 {
							if err := l.Offload(func(context.Context) error { return nil }); err != nil {
								return err
							}
						}
					}
					return nil
				})
			}
			return g.Wait()
		})
		over.Store(true)
		<-ended
		<-ended
		if err != nil {
			t.Error(err)
		}
		said := t.Logf
		if !storm() {
			said = t.Errorf
		}
		said("%d ticks under %d signals and %d collections", ticks.Load(), signals.Load(), collections.Load())
	})
}
