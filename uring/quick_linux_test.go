//go:build linux

package uring

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestGuess(t *testing.T) {
	var g guess
	tries := func(chances int, right bool) (n int) {
		for range chances {
			if g.isWorthIt() {
				n++
				g.was(right)
			}
		}
		return n
	}
	if n := tries(100, true); n != 100 {
		t.Errorf("%d of 100 tries where each is right", n)
	}
	if n := tries(1000, false); n < 10 || n > 25 {
		t.Errorf("%d of 1000 tries where each is in vain", n)
	}
	if tries(64, true); tries(100, true) != 100 {
		t.Error("it does not come back")
	}
}

// TestQuickIsNotSlow: entries that take long at once are not submitted behind the scheduler's back for long, and
// neither are those that are not done at once.
func TestQuickIsNotSlow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	p := make([]byte, 64<<20)
	if err := os.WriteFile(name, p, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	need(t, CheckExtArg)
	a, _ := socketpair(t, unix.SOCK_STREAM)
	for name, test := range map[string]struct {
		prep  func(e *SQE)
		usual uint8 // how many waits are still to go untimed
		want  syscall.Errno
	}{
		"64 MiB":                   {func(e *SQE) { e.PrepRead(fd, p, 0) }, 0, 0},
		"nothing to get":           {func(e *SQE) { e.PrepRecv(a, p[:1], 0) }, 0, syscall.ETIME},
		"nothing to get, untimed":  {func(e *SQE) { e.PrepRecv(a, p[:1], 0) }, 1, syscall.ETIME},
		"nothing to get, at first": {func(e *SQE) { e.PrepRecv(a, p[:1], 0) }, usualMost, syscall.ETIME},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unix.Preadv2(fd, [][]byte{p[:1]}, 0, unix.RWF_NOWAIT)
			if test.want == 0 && errors.Is(err, unix.EOPNOTSUPP) { // as on tmpfs
				t.Skipf("a read that is to be entered with is a worker's: preadv2(RWF_NOWAIT): %v", err)
			}
			r := open(t, 8, nil)
			if r.special {
				t.Skip("this ring is entered another way")
			}
			for tries := 0; r.quick.usual == 0; tries++ {
				if tries == 1000 {
					t.Skip("none of 1000 NOPs takes less than 50 µs here")
				}
				finish(t, r, start(t, r, (*SQE).PrepNop))
			}
			for r.quick.usual > test.usual {
				finish(t, r, start(t, r, (*SQE).PrepNop))
			}
			test.prep(r.SQE())
			wait := func() (int, syscall.Errno) { return r.Enter(1, true, time.Millisecond) }
			if _, errno := uninterrupted(wait); errno != test.want {
				t.Errorf("Enter: %v, with %d completions, want %v", errno, r.CQReady(), test.want)
			}
			if r.quick.atOnce.missed == 0 || r.quick.usual != 0 {
				t.Errorf("%+v", r.quick)
			}
		})
	}
}

// TestKeepP: a thread that keeps its P in a wait is in nobody's way, though it is the only P: not in that of another
// goroutine, which ends the wait, nor in that of collections.
func TestKeepP(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := open(t, 8, &Config{KeepP: true})
	fd := eventfd(t)
	for range 5 {
		tag := start(t, r, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) })
		go func() {
			runtime.GC()
			signalEventfd(t, fd)
		}()
		if c := finish(t, r, tag); c.Res&unix.POLLIN == 0 {
			t.Errorf("%+v", c)
		}
		var b [8]byte
		if _, err := unix.Read(fd, b[:]); err != nil {
			t.Fatal(err)
		}
		// A time limit holds.
		begin := time.Now()
		if _, err := r.Wait(1, 30*time.Millisecond); err == nil || time.Since(begin) < 30*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	}
}

// BenchmarkWaits is a wait for a read past the page cache, where the scheduler is told of it, and where it is not.
func BenchmarkWaits(b *testing.B) {
	for _, keep := range []bool{false, true} {
		b.Run(map[bool]string{false: "told", true: "KeepP"}[keep], func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			r := open(b, 64, &Config{KeepP: keep})
			fd, err := unix.Open(b.TempDir(), unix.O_RDWR|unix.O_CLOEXEC|unix.O_TMPFILE|unix.O_DIRECT, 0o600)
			if err != nil {
				b.Skip(err)
			}
			defer unix.Close(fd)
			p := pages(b, 32)
			page := os.Getpagesize()
			if _, err := unix.Pwrite(fd, p, 0); err != nil {
				b.Fatal(err)
			}
			cqes := make([]CQE, 64)
			var before, after unix.Rusage
			unix.Getrusage(unix.RUSAGE_SELF, &before)
			waits := 0
			for left, flying := b.N, 0; left > 0 || flying > 0; waits++ {
				for ; flying < 32 && left > 0; left, flying = left-1, flying+1 {
					i := left % 32
					r.SQE().PrepRead(fd, p[i*page:(i+1)*page], int64(i*page))
				}
				enter(b, r, 1)
				n := r.Drain(cqes)
				for _, c := range cqes[:n] {
					if int(c.Res) != page {
						b.Fatal(result(c.Res))
					}
				}
				flying -= n
			}
			unix.Getrusage(unix.RUSAGE_SELF, &after)
			b.ReportMetric(float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())/
				float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N)/float64(waits), "reads/wait")
		})
	}
}
