package file_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"ringo"
)

// patience is how long anything may take that must come. It is generous, because it
// passes only when a test fails.
const patience = 30 * time.Second

var seedFlag = flag.Uint64("seed", 1, "the seed of random programs; 0: by the clock")

// seedOf is the seed of a test's random programs.
func seedOf(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", seed)
	return seed
}

// eachCaller runs f as an ordinary goroutine, and as a task of each driver that this
// kernel has, or of the one that the environment forces. l is nil for the goroutine.
func eachCaller(t *testing.T, f func(t *testing.T, l *ringo.Loop)) {
	t.Helper()
	t.Run("goroutine", func(t *testing.T) {
		within(patience, t.Name(), func() { f(t, nil) })
	})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) { f(t, l) })
	})
}

// eachDriver runs f for each driver that this kernel has, or for the one that the
// environment forces.
func eachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	names := []string{"uring", "epoll"}
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" {
		names = []string{forced}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if err := available(name); err != nil {
				t.Skip(err)
			}
			f(t, ringo.Config{Driver: name, Loops: 1, Grace: 5 * time.Second})
		})
	}
}

var probed sync.Map // the error by the driver's name

// available asks once whether a driver can be had.
func available(driver string) error {
	ask := sync.OnceValue(func() error {
		err := ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(*ringo.Loop) error {
			return nil
		})
		var setup *ringo.SetupError
		if errors.As(err, &setup) {
			return setup
		}
		return nil // anything else is for the tests to find
	})
	once, _ := probed.LoadOrStore(driver, ask)
	return once.(func() error)()
}

// within gives f a while, and then ends the tests with all stacks, since whoever hangs
// holds what the next tests would need.
func within(d time.Duration, what string, f func()) {
	alarm := time.AfterFunc(d, func() {
		buf := make([]byte, 16<<20)
		panic(fmt.Sprintf("%s: not done within %v\n\n%s", what, d, buf[:runtime.Stack(buf, true)]))
	})
	defer alarm.Stop()
	f()
}

// onLoop runs body as the first task of one loop, and then nothing may be left.
func onLoop(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop)) {
	t.Helper()
	within(patience, t.Name(), func() {
		err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
			body(l)
			settle(t, l)
			return nil
		})
		if err != nil && !t.Failed() {
			t.Errorf("Run: %v", err)
		}
	})
}

// settle waits until the calling task is alone on its loop, with no op in flight, and
// fails the test if that doesn't come.
func settle(t testing.TB, l *ringo.Loop) {
	t.Helper()
	var s ringo.Stats
	for end := time.Now().Add(patience / 3); time.Now().Before(end); l.Sleep(time.Millisecond) {
		if s = l.Stats(); s.Tasks == 1 && s.Slots == 0 {
			return
		}
	}
	t.Errorf("left on the loop: %d tasks beside the first, %d slots", s.Tasks-1, s.Slots)
}

// pause is between two looks at something that others do, for whoever looks.
func pause(l *ringo.Loop) {
	if l != nil {
		l.Sleep(time.Millisecond)
	} else {
		time.Sleep(time.Millisecond)
	}
}

// begin runs f beside the caller, as a caller of its sort, and gives a join.
func begin(l *ringo.Loop, f func()) (join func()) {
	if l != nil {
		task := l.Go(f)
		return func() { task.Wait() }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}
