//go:build linux

package loop_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// account is something that tasks lock, as programs have it.
type account struct {
	name string
	mu   sync.Mutex
}

// lockBoth locks one, parks, and wants the other. The first stays locked: somebody else unlocks both.
func lockBoth(l *loop.Loop, first, second *account) {
	first.mu.Lock()
	l.Sleep(time.Millisecond)
	second.mu.Lock()
	second.mu.Unlock()
}

// complaints of a Run that a test waits for.
func complaintsOf(cfg *loop.Config) chan string {
	said := make(chan string, 1000)
	cfg.Complain = func(text string) { said <- text }
	return said
}

// wantComplaint waits for one with the first of some words, and wants the others in it.
func wantComplaint(t *testing.T, said <-chan string, words ...string) {
	t.Helper()
	for {
		text := receive(t, fmt.Sprintf("a complaint with %q", words), said)
		if !strings.Contains(text, words[0]) {
			continue
		}
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("no %q in:\n%s", w, text)
			}
		}
		return
	}
}

// Ways to a deadlock of two tasks, and out of it. They are functions of their own, as those of a program are: what a
// test does beside them is not to look as if it could help.
func inMutexes(l *loop.Loop) (run, release func()) {
	a, b := &account{name: "a"}, &account{name: "b"}
	run = func() {
		one := l.Go(func() { lockBoth(l, a, b) })
		other := l.Go(func() { lockBoth(l, b, a) })
		one.Wait()
		other.Wait()
	}
	return run, func() { a.mu.Unlock(); b.mu.Unlock() }
}

func inChannel(l *loop.Loop) (run, release func()) {
	ch := make(chan int)
	run = func() {
		sends := l.Go(func() {
			l.Sleep(time.Millisecond)
			select {
			case ch <- 1:
			default:
			}
		})
		l.Go(func() { <-ch }).Wait()
		sends.Wait()
	}
	return run, func() { ch <- 1 }
}

func inWaitGroup(l *loop.Loop) (run, release func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	done := sync.OnceFunc(wg.Done)
	run = func() {
		does := l.Go(func() { l.Sleep(time.Millisecond); done() })
		l.Go(func() { wg.Wait() }).Wait()
		does.Wait()
	}
	return run, done
}

// Two tasks of a loop that wait for each other by Go's own means are named, with both stacks.
func TestDeadlocksOfOneLoop(t *testing.T) {
	testmain.NeedLong(t, "each shape waits a second, twice; TestDeadlocksOfMutexes of ringo has the common ones")
	for _, c := range []struct {
		name string
		make func(l *loop.Loop) (run, release func())
		want []string
	}{
		{"mutexes", inMutexes, []string{"waits [sync.Mutex.Lock]", "\n  task ringo/internal/loop_test.inMutexes.",
			"loop_test.lockBoth("}},
		{"channel", inChannel, []string{"waits [chan receive]", "\n  task ringo/internal/loop_test.inChannel."}},
		{"WaitGroup", inWaitGroup, []string{"waits [sync.WaitGroup.Wait]",
			"\n  task ringo/internal/loop_test.inWaitGroup."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg *loop.Config) {
				cfg.Stall = 100 * time.Millisecond
				said := complaintsOf(cfg)
				ended := make(chan error, 1)
				release := make(chan func(), 1)
				go func() {
					ended <- run(t, cfg, func(l *loop.Loop) error {
						run, let := c.make(l)
						release <- let
						run()
						return nil
					})
				}()
				wantComplaint(t, said, append([]string{"this looks like a deadlock", "holds loop 0", "\ngoroutine ",
					"(*Loop).Sleep("}, c.want...)...)
				(<-release)()
				if err := receive(t, "the end of Run", ended); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A goroutine that has to do with it, and is no task, may end it: then it is said that it may be a deadlock, and who
// would end it.
func TestNoDeadlockWithOthers(t *testing.T) {
	t.Parallel()
	cfg := small(anyDriver(t))
	cfg.Stall = 100 * time.Millisecond
	said := complaintsOf(cfg)
	a, told := &account{name: "a"}, make(chan struct{})
	go helps(a, told)
	patience.Until(t, "the lock is held", func() bool { return locked(a) })
	ended := make(chan error, 1)
	go func() {
		ended <- run(t, cfg, func(l *loop.Loop) error {
			l.Go(func() { sleeps(l, a) })
			l.Sleep(0)
			wants(a)
			return nil
		})
	}()
	want := []string{"this may be a deadlock", "waits [sync.Mutex.Lock]", "\nUnless goroutine "}
	if runtime.GOARCH == "amd64" { // where the stacks show what the functions were given
		want = append(want, "loop_test.helps\n")
	}
	wantComplaint(t, said, want...)
	close(told)
	if err := receive(t, "the end of Run", ended); err != nil {
		t.Error(err)
	}
	for len(said) > 0 {
		if text := <-said; strings.Contains(text, "looks like a deadlock") {
			t.Errorf("a goroutine has the lock:\n%s", text)
		}
	}
}

func helps(a *account, until <-chan struct{}) {
	a.mu.Lock()
	<-until
	a.mu.Unlock()
}

func locked(a *account) bool {
	if a.mu.TryLock() {
		a.mu.Unlock()
		return false
	}
	return true
}

func sleeps(l *loop.Loop, a *account) { l.Sleep(100 * time.Millisecond); a.name += "!" }

func wants(a *account) {
	a.mu.Lock()
	a.mu.Unlock()
}

// waitsForTimer holds its loop in a select that a timer ends.
func waitsForTimer(never <-chan int) {
	select {
	case <-never:
	case <-time.After(2500 * time.Millisecond):
	}
}

func nap(l *loop.Loop) { l.Go(func() { l.Sleep(time.Millisecond) }) }

// Of a select that a timer may end that is said, and of those who stand by few are named and fewer shown; tasks that
// have only the package in common with it are not.
func TestDeadlockOrTimer(t *testing.T) {
	testmain.NeedLong(t, "waits five seconds for a report")
	for _, related := range []bool{false, true} {
		cfg := small(anyDriver(t))
		cfg.Stall = 100 * time.Millisecond
		var said atomic.Pointer[string]
		cfg.Complain = func(text string) {
			if strings.Contains(text, "a deadlock") {
				said.Store(&text)
			}
		}
		err := run(t, cfg, func(l *loop.Loop) error {
			for begun := time.Now(); ; {
				for range 20 {
					if related {
						l.Go(func() { l.Sleep(time.Millisecond) })
					} else {
						nap(l)
					}
				}
				l.Sleep(0)
				waitsForTimer(nil)
				if !related || said.Load() != nil || time.Since(begun) > limit {
					return nil
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
		switch text := said.Load(); {
		case text == nil && related:
			t.Error("nothing was said of tasks that the same function makes")
		case text == nil:
		case !related:
			t.Errorf("tasks of the same package are all there is, and it said:\n%s", *text)
		case !strings.Contains(*text, "A timer may end that") || strings.Count(*text, "\ngoroutine ") > 3 ||
			strings.Count(*text, "\n  task ") > 8:
			t.Errorf("said:\n%s", *text)
		}
	}
}
