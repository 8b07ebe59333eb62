//go:build linux

package soft

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
	"ringo/uring"
)

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
