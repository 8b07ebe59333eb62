package rig

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
)

// A Trap stops a loop for good: Spring does so in a task, or in tasks that it starts, and Stands is the function in
// which the blocked task waits. Use it in a Child, since such a loop never ends.
type Trap struct {
	Stands string
	Spring func(l *ringo.Loop) error
}

// Trapped starts a child in the role "freeze", and expects it to report that its loop has stopped.
func Trapped(t *testing.T, argument string) {
	t.Helper()
	if got := StartChild(t, "freeze", argument).Line(); got != "frozen" {
		t.Error(got)
	}
}

// Freeze springs the trap, and prints "frozen" once the loop has stopped.
func (trap Trap) Freeze() error {
	loops := make(chan *ringo.Loop, 1)
	go ringo.Run(context.Background(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
		loops <- l //ringo:offloaded there is room
		if err := trap.Spring(l); err != nil {
			fmt.Println(err) //ringo:offloaded its last words
			return err
		}
		return l.Offload(func(context.Context) error { select {} })
	})
	l := <-loops
	times := 0
	err := patience.Poll(func() { time.Sleep(time.Millisecond) }, func() bool {
		var answered atomic.Bool
		l.Post(func() { answered.Store(true) })
		if !stands(trap.Stands, "iter.Pull") {
			times = 0
			return false
		}
		times++
		return times >= 50 && !answered.Load()
	})
	if err != nil {
		return fmt.Errorf("not frozen: %w\n%s", err, stacks())
	}
	fmt.Println("frozen")
	return nil
}

// stands reports whether a goroutine or task that is not running has all these functions on its stack.
func stands(functions ...string) bool {
	for stack := range strings.SplitSeq(stacks(), "\n\n") {
		all := !strings.Contains(stack, "[running") && !strings.Contains(stack, "[coroutine")
		for _, f := range functions {
			all = all && strings.Contains(stack, f)
		}
		if all {
			return true
		}
	}
	return false
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
