//go:build linux && !portable

package sys

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A thread that shares its processor with another waits for it, and is told for how long.
func TestThreadQueued(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("kernel without CONFIG_SCHED_INFO:", err)
	}
	cpus, err := CPUs(0)
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	tids, ended := make(chan int32), make(chan struct{})
	for range 2 {
		go func() {
			defer func() { ended <- struct{}{} }()
			runtime.LockOSThread() // for good: the thread ends, and its affinity with it
			if err := SetCPUs(0, cpus[:1]); err != nil {
				t.Error(err)
			}
			tids <- int32(unix.Gettid())
			for !over.Load() {
				runtime.Gosched()
			}
		}()
	}
	first, second := <-tids, <-tids
	queued := func() int64 {
		a, ok := ThreadQueued(first)
		b, too := ThreadQueued(second)
		if !ok || !too {
			t.Error("a thread of this process is not known")
		}
		return a + b
	}
	for before := queued(); queued() <= before && !t.Failed(); {
	}
	over.Store(true)
	<-ended
	<-ended
	if ns, ok := ThreadQueued(-1); ok || ns != 0 {
		t.Errorf("of a thread that there is not: %d, %v", ns, ok)
	}
}
