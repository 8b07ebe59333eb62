//go:build linux

package uringtest_test

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/seam"
	"ringo/internal/test/uringtest"
	"ringo/uring"
)

// rig is a ring on a kernel, and what the kernel has found fault with.
type rig struct {
	*testing.T
	k      *uringtest.Kernel
	r      *uring.Ring
	faults []string
	ends   [2]int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	g := &rig{T: t}
	g.k = uringtest.New(uringtest.Config{Fail: func(fault string) { g.faults = append(g.faults, fault) }})
	var err error
	if g.r, err = uring.Open(8, seam.Put(&uring.Config{}, seam.Seam{Kernel: g.k})); err != nil {
		t.Fatal(err)
	}
	if g.ends, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
		0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(g.ends[0])
		unix.Close(g.ends[1])
		g.r.Close()
	})
	return g
}

// entry submits one.
func (g *rig) entry(userData uint64, prep func(e *uring.SQE)) {
	e := g.r.SQE()
	prep(e)
	e.UserData = userData
	g.r.Enter(0, true, -1)
}

// TestWatch does what a driver must not, and wants the kernel to say so.
func TestWatch(t *testing.T) {
	buf := make([]byte, 64)
	recv := func(g *rig) func(e *uring.SQE) {
		return func(e *uring.SQE) { e.PrepRecv(g.ends[0], buf, 0) }
	}
	for _, c := range []struct {
		name, fault string
		do          func(g *rig)
	}{
		{"garbage in a field", "must be 0", func(g *rig) {
			g.entry(1, func(e *uring.SQE) { e.PrepNop(); e.Addr3 = 7 })
		}},
		{"a buffer group without the flag", "buf_group", func(g *rig) {
			g.entry(1, func(e *uring.SQE) { recv(g)(e); e.BufIndex = 3 })
		}},
		{"one user data twice", "stands for two", func(g *rig) {
			g.entry(1, recv(g))
			g.entry(1, func(e *uring.SQE) { e.PrepPollAdd(g.ends[0], unix.POLLIN) })
		}},
		{"a descriptor closed under a request", "was closed under", func(g *rig) {
			g.entry(1, recv(g))
			unix.Close(g.ends[0])
			g.entry(2, func(e *uring.SQE) { e.PrepCancel(1) })
		}},
		{"a descriptor that is another", "is another file", func(g *rig) {
			g.entry(1, recv(g))
			unix.Dup2(g.ends[1], g.ends[0])
			g.entry(2, func(e *uring.SQE) { e.PrepCancel(1) })
		}},
		{"a close under a request", "a close of fd", func(g *rig) {
			g.entry(1, recv(g))
			g.entry(2, func(e *uring.SQE) { e.PrepClose(g.ends[0]) })
		}},
		{"a buffer returned twice", "is returned, and was not taken", func(g *rig) {
			b, err := g.r.BufRing(5, 1, 16)
			if err != nil {
				g.Fatal(err)
			}
			b.Return(0)
			g.entry(1, func(e *uring.SQE) { e.PrepRecvMultishot(g.ends[0], 5, 0) })
		}},
		{"a ring closed under a request", "the ring is closed", func(g *rig) {
			g.entry(1, recv(g))
			g.r.Close()
		}},
		{"a group taken from a request", "is taken away from", func(g *rig) {
			b, err := g.r.BufRing(5, 2, 16)
			if err != nil {
				g.Fatal(err)
			}
			g.entry(1, func(e *uring.SQE) { e.PrepRecvMultishot(g.ends[0], 5, 0) })
			b.Close()
		}},
		{"another thread", "from thread", func(g *rig) {
			done := make(chan bool)
			go func() { // on another thread: this one is locked
				g.k.Tick()
				close(done)
			}()
			<-done
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			c.do(g)
			if len(g.faults) != 1 || !strings.Contains(g.faults[0], c.fault) {
				t.Errorf("the kernel says %q, want one fault: …%s…", g.faults, c.fault)
			}
		})
	}
}

// TestClock finds that a Kernel with a Clock sleeps no longer than the clock says.
func TestClock(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock := new(uringtest.Clock)
	k := uringtest.New(uringtest.Config{Clock: clock, Fail: func(fault string) { t.Error(fault) }})
	r, err := uring.Open(2, seam.Put(&uring.Config{}, seam.Seam{Kernel: k}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, errno := r.Enter(1, true, 3_600_000_000_000); errno != unix.ETIME || clock.Now() != 3_600_000_000_000 {
		t.Errorf("a wait of an hour ended with %v at %d", errno, clock.Now())
	}
}
