//go:build linux

package hosted

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestThreadsEnd has goroutines lock their threads, read and end with them: what the
// kernel gives up because the thread that submitted it is gone must not be lost, also if
// others had asked for it.
func TestThreadsEnd(t *testing.T) {
	const size = 8 << 20
	name := makeFile(t, size)
	for what, flags := range map[string]int{"cold": 0, "direct": unix.O_DIRECT} {
		t.Run(what, func(t *testing.T) {
			d := reopen(t, name, size, flags)
			h := open(t, Config{Few: onRing})
			for range 10 {
				if flags == 0 {
					d.drop(t)
				}
				together(8, func(i int) { // who lives on
					rng := rand.New(rand.NewPCG(uint64(i), 5))
					p := aligned(block)
					for range 50 {
						d.check(t, h, p, rng.Int64N(size/block)*block)
					}
				})
				together(64, func(i int) {
					runtime.LockOSThread() // and never unlocked: the thread ends
					rng := rand.New(rand.NewPCG(uint64(i), 6))
					p := aligned(block)
					for range 3 {
						d.check(t, h, p, rng.Int64N(size/block)*block)
					}
				})
			}
			t.Logf("%+v", h.Info().Stats)
		})
	}
}

// TestThreads counts threads, the kernel's among them, while 256 goroutines read what is
// not in memory.
func TestThreads(t *testing.T) {
	const size, most = 32 << 20, 16
	name := makeFile(t, size)
	for what, flags := range map[string]int{"cold": 0, "direct": unix.O_DIRECT} {
		t.Run(what, func(t *testing.T) {
			d := reopen(t, name, size, flags)
			h := open(t, Config{Few: onRing}) // a busy machine would have it make plain calls
			if flags == 0 {
				d.drop(t)
			}
			before := threads(t)
			seen := 0
			counted := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(counted)
				for {
					select {
					case <-done:
						return
					default:
						seen = max(seen, threads(t))
						runtime.Gosched()
					}
				}
			}()
			together(256, func(i int) {
				p := aligned(block)
				for off := int64(i) * block; off < size; off += 256 * block {
					d.check(t, h, p, off)
				}
			})
			close(done)
			<-counted
			if more := seen - before; seen > before && more > most {
				t.Errorf("%d threads more than the %d before, want at most %d", more, before, most)
			}
			t.Logf("%d threads, %d before; %+v", seen, before, h.Info().Stats)
		})
	}
}

// threads counts those of the process, with those that the kernel made for its rings.
func threads(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc:", err)
	}
	return len(all)
}

// TestWorkersBounded has ops wait in threads of the kernel, and counts these.
func TestWorkersBounded(t *testing.T) {
	h := open(t, Config{Few: onRing, Workers: 2})
	if _, _, err := h.rings[0].Load().e.(*ringEngine).r.IOWQMaxWorkers(0, 0); err != nil {
		t.Skip("this kernel bounds them by itself:", err)
	}
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &disk{File: f}
	d.fd.Init(int32(f.Fd()))
	together(100, func(i int) {
		p := make([]byte, 64<<10)
		for n := range 4 {
			d.write(t, h, p, int64(i*4+n)*int64(len(p)))
		}
	})
	most := 2 * (runtime.GOMAXPROCS(0) + 8) // for each thread that has entered
	if n := workers(t); n > most {
		t.Errorf("%d workers of the kernel, want at most %d", n, most)
	}
}

// workers counts the threads that the kernel made.
func workers(t testing.TB) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc:", err)
	}
	for _, e := range all {
		if comm, err := os.ReadFile("/proc/self/task/" + e.Name() + "/comm"); err == nil &&
			strings.HasPrefix(string(comm), "iou-wrk") {
			n++
		}
	}
	return n
}
