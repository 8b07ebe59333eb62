package loop_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"ringo/internal/loop"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// GOMAXPROCS counts loops only while they run tasks, and what the program sets stands.
func TestIdleLoopsLendTheirPs(t *testing.T) {
	defer loop.SetIdleAfter(30 * time.Millisecond)()
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	ctx, end := context.WithCancel(context.Background())
	defer end()
	loops := make(chan *loop.Loop, 2)
	ended := make(chan error, 1)
	cfg := small(anyDriver(t))
	cfg.Loops, cfg.Grace = 2, -1
	go func() {
		ended <- loop.Run(ctx, cfg, func(l *loop.Loop) error {
			loops <- l
			return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
		})
	}()
	l := <-loops
	<-loops
	for range 2 {
		awaitProcs(t, before)
		stop := make(chan struct{})
		if err := l.Post(func() { busy(l, stop) }); err != nil {
			t.Fatal(err)
		}
		awaitProcs(t, before+2)
		close(stop)
	}
	awaitProcs(t, before)
	runtime.GOMAXPROCS(before + 5)
	stop := make(chan struct{})
	if err := l.Post(func() { busy(l, stop) }); err != nil {
		t.Fatal(err)
	}
	end()
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if now := runtime.GOMAXPROCS(0); now != before+5 {
		t.Errorf("GOMAXPROCS is %d after the program has set it to %d", now, before+5)
	}
}

// Loops that have no tasks from the start lend theirs soon, and not only after the time that others are given.
func TestIdleLoopsLendTheirPsSoon(t *testing.T) {
	testmain.NeedLong(t, "two seconds of nothing to do; TestIdleLoopsLendTheirPs has those that have had tasks")
	defer loop.SetIdleAfter(40 * time.Second)() // twice what awaitProcs waits for
	before := runtime.GOMAXPROCS(0)
	ctx, end := context.WithCancel(context.Background())
	defer end()
	begun, ended := make(chan bool, 2), make(chan error, 1)
	cfg := small(anyDriver(t))
	cfg.Loops, cfg.Grace = 2, -1
	go func() {
		ended <- loop.Run(ctx, cfg, func(l *loop.Loop) error {
			begun <- true
			return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
		})
	}()
	<-begun
	awaitProcs(t, before)
	end()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// busy has the loop run a task over and over.
func busy(l *loop.Loop, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if l.Sleep(time.Millisecond) != 0 {
			return
		}
	}
}

// awaitProcs waits until GOMAXPROCS is want.
func awaitProcs(t *testing.T, want int) {
	t.Helper()
	patience.Until(t, fmt.Sprintf("GOMAXPROCS is %d", want), func() bool { return runtime.GOMAXPROCS(0) == want })
}
