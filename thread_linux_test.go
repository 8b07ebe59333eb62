//go:build linux

package ringo_test

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"ringo"
)

// A loop is one thread, which no other loop or goroutine uses, and which ends with
// it: with what the kernel and Pin have tied to it.
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
