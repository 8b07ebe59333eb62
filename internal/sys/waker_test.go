package sys

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A poll sees each signal, also one that comes while the one before is taken back.
func TestWakerLosesNothing(t *testing.T) {
	w, res := NewWaker()
	if res == -ENOSYS {
		t.Skip("this system has no waker")
	}
	if res < 0 {
		t.Fatal(res)
	}
	defer w.Close()
	const rounds = 2000
	var said, heard atomic.Int64
	var stop atomic.Bool
	var ended sync.WaitGroup
	for range 3 {
		ended.Go(func() {
			for !stop.Load() {
				n := said.Add(1)
				w.Signal()
				for heard.Load() < n && !stop.Load() {
					runtime.Gosched()
				}
			}
		})
	}
	fds := []PollFd{{Fd: w.In, Events: PollIn}}
	for range rounds {
		if n := ppollAgain(fds, 5*time.Second); n != 1 {
			t.Errorf("poll = %d after %d of %d signals; now it is %d", n, heard.Load(), said.Load(), PpollNow(fds))
			break
		}
		w.Unsignal()
		heard.Store(said.Load())
	}
	stop.Store(true)
	ended.Wait()
}

// ppollAgain polls, as often as signals interrupt it, of which Go's runtime sends some.
func ppollAgain(fds []PollFd, d time.Duration) int32 {
	for {
		if res := Ppoll(fds, int64(d)); res != -EINTR {
			return res
		}
	}
}
