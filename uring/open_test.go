package uring

import (
	"errors"
	"testing"
	"time"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/seam"
	"ringo/internal/sys"
)

// TestLadderOrder: a kernel that knows only what some release knew is asked for less and less, newest first, and gets
// exactly what it knows.
func TestLadderOrder(t *testing.T) {
	const (
		v51  = SetupFlags(0)
		v56  = v51 | SetupCQSize | SetupClamp
		v518 = v56 | SetupSubmitAll
		v519 = v518 | SetupCoopTaskrun | SetupTaskrunFlag
		v60  = v519 | SetupSingleIssuer
		v61  = v60 | SetupDeferTaskrun
		v66  = v61 | SetupNoSQArray
	)
	for _, known := range []SetupFlags{v51, v56, v518, v519, v60, v61, v66} {
		k := &fakeKernel{refuse: func(f SetupFlags) posix.Errno {
			if f&^known != 0 {
				return posix.EINVAL
			}
			return 0
		}}
		r, err := Open(4, &Config{seam: seam.Seam{Kernel: k}})
		if err != nil {
			t.Fatalf("a kernel that knows %v: %v", known, err)
		}
		if r.Flags() != known {
			t.Errorf("a kernel that knows %v: got %v", known, r.Flags())
		}
		for _, f := range k.setups {
			if f != consistent(f) {
				t.Errorf("a kernel that knows %v was asked for %v, which none accepts", known, f)
			}
		}
		if n := len(k.setups); n > len(ladder)+1 {
			t.Errorf("a kernel that knows %v was asked %d times", known, n)
		}
		if err := r.Close(); err != nil || k.closed != 1 || k.unmapped != 2 {
			t.Errorf("Close: %v; closed %d, unmapped %d", err, k.closed, k.unmapped)
		}
	}
}

// TestOnlyEINVALStepsDown: any other errno would come again, and says more than the last rung's.
func TestOnlyEINVALStepsDown(t *testing.T) {
	for _, errno := range []posix.Errno{posix.EPERM, posix.ENOMEM, posix.ENOSYS, posix.EMFILE} {
		k := &fakeKernel{refuse: func(SetupFlags) posix.Errno { return errno }}
		_, err := Open(4, &Config{seam: seam.Seam{Kernel: k}})
		var s *SetupError
		if !errors.As(err, &s) || !errors.Is(err, errno) || len(k.setups) != 1 {
			t.Errorf("%v: got %v after %d tries", errno, err, len(k.setups))
		}
	}
	k := &fakeKernel{refuse: func(SetupFlags) posix.Errno { return posix.EINVAL }}
	_, err := Open(4, &Config{seam: seam.Seam{Kernel: k}})
	if !errors.Is(err, posix.EINVAL) || k.setups[len(k.setups)-1] != 0 {
		t.Errorf("EINVAL for ever: got %v, asked last for %v", err, k.setups[len(k.setups)-1])
	}
	// A CQ size that was asked for is not given up in silence.
	k = &fakeKernel{refuse: func(f SetupFlags) posix.Errno {
		if f&SetupCQSize != 0 {
			return posix.EINVAL
		}
		return 0
	}}
	if _, err := Open(4, &Config{CQEntries: 4, seam: seam.Seam{Kernel: k}}); !errors.Is(err, posix.EINVAL) {
		t.Errorf("explicit CQEntries: got %v", err)
	}
}

func TestOpenElsewhere(t *testing.T) {
	if sys.HaveUring {
		t.Skip("this OS has io_uring")
	}
	_, err := Open(4, nil)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("want errors.ErrUnsupported, got %v", err)
	}
	r, err := Probe()
	if err != nil || r.Usable || r.Refusal == nil {
		t.Errorf("Probe: %+v, %v", r, err)
	}
}

// TestSQPollCalls: with a polling kernel thread there is a system call only to wake it or to wait.
func TestSQPollCalls(t *testing.T) {
	k := &fakeKernel{}
	r := openFake(t, k, 4, Config{SQPoll: true})
	var calls []uint32
	k.onEnter = func(_, _, flags uint32, _ *abi.Io_uring_getevents_arg) posix.Errno {
		calls = append(calls, flags)
		return 0
	}
	r.SQE().PrepNop()
	if n, errno := r.Enter(0, false, -1); n != 0 || errno != 0 || len(calls) != 0 || k.pending() != 1 {
		t.Fatalf("awake: consumed %d, %v; calls %v, %d shown", n, errno, calls, k.pending())
	}
	k.consume()
	*k.sqFlags = abi.IORING_SQ_NEED_WAKEUP
	r.SQE().PrepNop()
	if n, errno := r.Enter(0, false, -1); n != 1 || errno != 0 || len(calls) != 1 ||
		calls[0] != abi.IORING_ENTER_SQ_WAKEUP {
		t.Fatalf("asleep: consumed %d, %v; calls %v", n, errno, calls)
	}
	*k.sqFlags = 0
	r.Enter(1, false, time.Second)
	if len(calls) != 2 || calls[1] != abi.IORING_ENTER_GETEVENTS|abi.IORING_ENTER_EXT_ARG {
		t.Fatalf("waiting: calls %v", calls)
	}
}

// TestRegisterGoesOn: a signal does not end what waits for buffers to be out of use.
func TestRegisterGoesOn(t *testing.T) {
	k := &fakeKernel{}
	r := openFake(t, k, 4, Config{})
	calls := 0
	k.onRegister = func(op uint32) (int, posix.Errno) {
		if op != abi.IORING_UNREGISTER_BUFFERS {
			return 0, posix.EINVAL
		}
		if calls++; calls < 3 {
			return 0, posix.EINTR
		}
		return 0, 0
	}
	if err := r.UnregisterBuffers(); err != nil || calls != 3 {
		t.Errorf("%v after %d calls, want success at the third", err, calls)
	}
}

// TestWaitGoesOn: a wait goes on after a signal with the time that is left, and after a kernel that took less than all.
func TestWaitGoesOn(t *testing.T) {
	k := &fakeKernel{}
	r := openFake(t, k, 4, Config{})
	for range 3 {
		r.SQE().PrepNop()
	}
	var left []time.Duration
	k.onEnter = func(submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno {
		left = append(left, time.Duration(r.ts.Sec)*time.Second+time.Duration(r.ts.Nsec))
		switch len(left) {
		case 1:
			return posix.EINTR
		case 2:
			k.consume()
			return 0 // a short submit does not wait
		case 3:
			k.consume()
			k.consume()
			return posix.EINTR
		}
		k.post(CQE{})
		k.post(CQE{})
		return 0
	}
	n, err := r.Wait(2, time.Hour)
	if n != 3 || err != nil || len(left) != 4 {
		t.Fatalf("consumed %d, %v, in %d calls", n, err, len(left))
	}
	for i, d := range left {
		if d > time.Hour || d < time.Hour-time.Minute || i > 0 && d > left[i-1] {
			t.Errorf("times left: %v", left)
		}
	}
}

// TestOver: what is over is no time, and what is short not the kernel's default.
func TestOver(t *testing.T) {
	for _, d := range []time.Duration{-1, -500 * time.Millisecond, -time.Hour, -1 << 63} {
		if ts := NewTimespec(d); ts != (Timespec{}) {
			t.Errorf("%v: %+v", d, ts)
		}
		if w := (Wait{MinWait: d, Timeout: d}); w.minWait() != 0 {
			t.Errorf("MinWait %v: %d µs", d, w.minWait())
		} else if _, bounded := w.limit(); bounded {
			t.Errorf("Timeout %v bounds a wait", d)
		}
		if ts, bounded := (&Wait{Timeout: d, Absolute: true}).limit(); !bounded || ts != (Timespec{}) {
			t.Errorf("a point in time at %v: %+v, %v", d, ts, bounded)
		}
	}
	for d, ms := range map[time.Duration]uint32{0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2,
		time.Second: 1000, 1<<63 - 1: 1<<32 - 1} {
		if got := (&Config{SQPollIdle: d}).idle(); got != ms {
			t.Errorf("SQPollIdle %v: %d ms, want %d", d, got, ms)
		}
	}
}

// TestTimespec: what reaches the kernel is the duration, to the nanosecond.
func TestTimespec(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 999_999_999, time.Second, time.Hour + 1, 1<<63 - 1} {
		ts := NewTimespec(d)
		if ts.Nsec < 0 || ts.Nsec >= 1e9 || time.Duration(ts.Sec)*time.Second+time.Duration(ts.Nsec) != d {
			t.Errorf("%d: %+v", d, ts)
		}
	}
}
