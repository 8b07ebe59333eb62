//go:build linux

package soft

import (
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
	"ringo/uring"
)

// waiting is an op of every way to wait, by its name.
func waiting(r *rig) map[string]*op.Op {
	pool := bufs.NewRingPool(2, 2, 16, nil)
	var socks []*fd.FD
	for range 8 {
		a, _ := r.unix(syscall.SOCK_STREAM)
		socks = append(socks, a)
	}
	full := make([]byte, 1<<20)
	for sys.Send(socks[3].Sys(), full, 0) > 0 {
	}
	ln, _ := listener(r.t)
	ops := map[string]*op.Op{
		"recv":           r.recv(socks[0], 4),
		"recv multishot": r.stream(socks[1], pool),
		"recv behind":    r.recv(socks[1], 4),
		"accept":         r.submit(op.Accept, r.own(int(ln)), func(o *op.Op) { o.Flags = op.Multishot }),
		"send":           r.submit(op.Send, socks[3], func(o *op.Op) { o.Buf = full }),
		"read":           r.submit(op.Read, socks[4], func(o *op.Op) { o.Buf = make([]byte, 4) }),
		"poll":           r.submit(op.Poll, socks[5], func(o *op.Op) { o.Events = sys.PollIn }),
		"poll multishot": r.watch(socks[5]),
		"timeout": r.submit(op.Timeout, nil, func(o *op.Op) {
			r.slab.Ext(o).Time = uring.NewTimespec(time.Hour)
		}),
	}
	return ops
}

func TestCancelEverywhere(t *testing.T) {
	for _, when := range []string{"queued", "waiting"} {
		r := newRig(t)
		for name, o := range waiting(r) {
			if when == "waiting" {
				r.quiet()
			}
			r.d.Cancel(o)
			r.d.Cancel(o) // once more changes nothing
			for r.done.Len() == 0 {
				r.wait()
			}
			c, _ := r.done.Pop()
			if c.Op != o || c.Res != -sys.ECANCELED || c.Flags != 0 {
				t.Errorf("%s %s: completion %d %#x, want -ECANCELED", when, name, c.Res, c.Flags)
			}
			if o.FD != nil && o.State != op.Idle {
				t.Errorf("%s %s: state %d", when, name, o.State)
			}
			r.slab.Put(c.Op)
		}
	}
}

func TestCloseDrainsEverything(t *testing.T) {
	for _, when := range []string{"queued", "waiting", "cancelled"} {
		r := newRig(t)
		ops := waiting(r)
		if when != "queued" {
			r.quiet()
		}
		if when == "cancelled" {
			for _, o := range ops {
				r.d.Cancel(o)
			}
		}
		if err := r.d.Close(&r.done); err != nil {
			t.Fatalf("%s: close: %v", when, err)
		}
		if r.done.Len() != len(ops) {
			t.Errorf("%s: %d completions from Close, want %d", when, r.done.Len(), len(ops))
		}
		if err := r.d.Close(&r.done); err != nil || r.done.Len() != len(ops) {
			t.Errorf("%s: closing again: %v, %d completions", when, err, r.done.Len())
		}
		if err := r.d.Wait(driver.Poll, &r.done); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: Wait after Close: %v, want os.ErrClosed", when, err)
		}
		r.d.Wake()
	}
}

func TestTimeouts(t *testing.T) {
	r := newRig(t)
	var ops []*op.Op
	begin, began := clock(), false
	// All begin at one time, though the thread may be paused between two of them.
	r.d.now = func() int64 {
		if !began {
			return begin
		}
		return clock()
	}
	r.d.fault = func() error { began = true; return nil } // asked when all that was submitted has been looked at
	for _, ms := range []int64{3, 1, 2, 1} {
		ops = append(ops, r.submit(op.Timeout, nil, func(o *op.Op) {
			r.slab.Ext(o).Time = uring.NewTimespec(time.Duration(ms) * time.Millisecond)
		}))
	}
	for _, i := range []int{1, 3, 2, 0} { // by time, then in their order
		off := ops[i].Ext.Time.Nsec
		if res := r.last(ops[i]); res != -sys.ETIME {
			t.Errorf("timeout = %d, want -ETIME", res)
		}
		if passed := clock() - begin; passed < off {
			t.Errorf("a timeout of %v ended after %v", time.Duration(off), time.Duration(passed))
		}
	}
}

// Timers never end early by the clock, whatever the poller's timeouts can
// express.
func TestDeadlineRoundsUp(t *testing.T) {
	for _, without := range [][]string{nil, {"epoll_pwait2"}} {
		r := newRigOn(t, poller.OpenEpoll, without...)
		if has := slices.Contains(r.d.Info().Features, "epoll_pwait2"); has && without != nil {
			t.Error("epoll_pwait2 is in use although it was masked")
		}
		for _, d := range []time.Duration{0, 1, time.Microsecond, 999 * time.Microsecond, 1500 * time.Microsecond} {
			deadline := clock() + int64(d)
			if err := r.d.Wait(deadline, &r.done); err != nil {
				t.Fatal(err)
			}
			if early := deadline - clock(); early > 0 {
				t.Errorf("without %v: a wait of %v ended %v early", without, d, time.Duration(early))
			}
		}
	}
}

func TestWake(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		r := newRig(t)
		r.d.Wake()
		r.d.Wake()
		r.wait()
		enters := r.d.Info().Stats.Enters
		r.quiet() // coalesced: there is no second one
		if got := r.d.Info().Stats.Enters; got != enters+1 {
			t.Errorf("%d waits, want 1", got-enters)
		}
	})
	t.Run("asleep", func(t *testing.T) {
		r := newRig(t)
		for range 100 {
			woke := make(chan struct{})
			go func() { defer close(woke); r.d.Wake() }()
			if err := r.d.Wait(driver.Forever, &r.done); err != nil {
				t.Fatal(err)
			}
			<-woke
		}
	})
	t.Run("during close", func(t *testing.T) {
		for range 50 {
			r := newRig(t)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 20 {
						r.d.Wake()
					}
				})
			}
			r.poll()
			r.close()
			stranger, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0) // may get the number
			if err != nil {
				t.Fatal(err)
			}
			all.Wait()
			if err := syscall.Close(stranger); err != nil {
				t.Fatalf("a late Wake closed a stranger's descriptor: %v", err)
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	for name, misuse := range map[string]func(r *rig, o *op.Op){
		"submitted twice": func(r *rig, o *op.Op) { r.d.Submit(o); r.d.Submit(o) },
		"cancelled idle":  func(r *rig, o *op.Op) { r.d.Cancel(o) },
		"after close":     func(r *rig, o *op.Op) { r.slab.Put(o); r.close(); r.d.Submit(r.slab.Get(op.Nop)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			o := r.slab.Get(op.Nop)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				r.slab.Each(func(o *op.Op) {
					if o.State == op.Idle {
						r.slab.Put(o)
					}
				})
			}()
			misuse(r, o)
		})
	}
}

func TestOpenErrors(t *testing.T) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	none := lim
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, err := OpenEpoll(driver.Config{Slab: op.NewSlab(0), Now: clock})
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	var setup *driver.SetupError
	if !errors.As(err, &setup) || setup.Step != "epoll_create1" || setup.Hint == "" || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("error %q, want a SetupError of epoll_create1 with EMFILE and a hint", err)
	}
}
