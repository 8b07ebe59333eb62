//go:build linux

package uring

import (
	"syscall"
	"testing"
	"time"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// throughKernel is the real kernel, and notes the flags of Enter.
type throughKernel struct{ flags uint32 }

var _ sys.UringRaw = (*throughKernel)(nil)

func (k *throughKernel) Setup(entries uint32, p *abi.Io_uring_params) (int, posix.Errno) {
	return sys.UringSetup(entries, p)
}

func (k *throughKernel) Map(fd int, offset uint64, size int) (unsafe.Pointer, posix.Errno) {
	return sys.UringMap(fd, offset, size)
}

func (k *throughKernel) Unmap(p unsafe.Pointer, size int) posix.Errno { return sys.UringUnmap(p, size) }

func (k *throughKernel) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) posix.Errno {
	k.flags |= flags
	return sys.UringEnter(fd, submit, wait, flags, arg)
}

func (k *throughKernel) EnterRaw(fd int, submit, wait, flags uint32, arg, size uintptr) (int, posix.Errno) {
	k.flags |= flags
	return sys.UringEnterRaw(fd, submit, wait, flags, arg, size)
}

func (k *throughKernel) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, posix.Errno) {
	return sys.UringRegister(fd, op, arg, n)
}

func (k *throughKernel) Close(fd int) posix.Errno { return sys.UringClose(fd) }

// enterTests show what each flag of io_uring_enter(2) does.
var enterTests = []struct {
	flag   uint32
	name   string
	since  string
	method string
	cfg    Config
	run    func(t *testing.T, r *Ring)
}{
	{abi.IORING_ENTER_GETEVENTS, "GETEVENTS", "5.1", "Enter", Config{}, func(t *testing.T, r *Ring) {
		tag := start(t, r, (*SQE).PrepNop)
		r.Enter(1, false, -1)
		if c, ok := r.CQE(); !ok || c.UserData != tag {
			t.Errorf("%+v, %v", c, ok)
		}
	}},
	{abi.IORING_ENTER_SQ_WAKEUP, "SQ_WAKEUP", "5.1", "Submit",
		Config{SQPoll: true, SQPollIdle: time.Millisecond}, func(t *testing.T, r *Ring) {
			sleepingThread(t, r)
			r.SQE().PrepNop()
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			patience.Until(t, "the thread's CQE", func() bool { return r.CQReady() == 1 })
		}},
	{abi.IORING_ENTER_SQ_WAIT, "SQ_WAIT", "5.10", "WaitSQ",
		Config{SQPoll: true, SQPollIdle: time.Millisecond}, func(t *testing.T, r *Ring) {
			sleepingThread(t, r)
			for r.SQSpace() > 0 {
				r.SQE().PrepNop()
			}
			if err := r.WaitSQ(); err != nil || r.SQSpace() == 0 {
				t.Errorf("room for %d: %v", r.SQSpace(), err)
			}
		}},
	{abi.IORING_ENTER_EXT_ARG, "EXT_ARG", "5.11", "Enter", Config{}, func(t *testing.T, r *Ring) {
		wait := func() (int, syscall.Errno) { return r.Enter(1, true, time.Millisecond) }
		if _, errno := uninterrupted(wait); errno != syscall.ETIME {
			t.Errorf("want ETIME, got %v", errno)
		}
	}},
	{abi.IORING_ENTER_REGISTERED_RING, "REGISTERED_RING", "5.18", "RegisterRingFD", Config{},
		func(t *testing.T, r *Ring) {
			if err := r.UnregisterRingFD(); err != nil {
				t.Fatal(err)
			}
			if err := r.RegisterRingFD(); err != nil || !r.RingFD() {
				t.Fatal(r.RingFD(), err)
			}
			want(t, do(t, r, (*SQE).PrepNop), 0)
		}},
	{abi.IORING_ENTER_ABS_TIMER, "ABS_TIMER", "6.12", "EnterFor", Config{}, func(t *testing.T, r *Ring) {
		// A point in time that has long passed, and no span.
		if errno := enterFor(r, 1, Wait{Timeout: time.Nanosecond, Absolute: true}); errno != syscall.ETIME {
			t.Errorf("want ETIME, got %v", errno)
		}
	}},
	{abi.IORING_ENTER_EXT_ARG_REG, "EXT_ARG_REG", "6.13", "EnterWait", Config{With: SetupRDisabled},
		func(t *testing.T, r *Ring) {
			g, err := r.RegisterRegion(RegionConfig{Size: syscall.Getpagesize(), Waits: true})
			if err != nil || r.Enable() != nil {
				t.Fatal(err)
			}
			g.SetWait(1, Wait{Timeout: time.Millisecond})
			wait := func() (int, syscall.Errno) { return r.EnterWait(1, 1) }
			if _, errno := uninterrupted(wait); errno != syscall.ETIME {
				t.Errorf("want ETIME, got %v", errno)
			}
		}},
	{abi.IORING_ENTER_NO_IOWAIT, "NO_IOWAIT", "6.15", "SetIOWait", Config{}, func(t *testing.T, r *Ring) {
		want(t, do(t, r, (*SQE).PrepNop), 0)
		if err := r.SetIOWait(true); err != nil {
			t.Fatal(err)
		}
		k := r.kernel.(*throughKernel)
		before := k.flags
		k.flags = 0
		if want(t, do(t, r, (*SQE).PrepNop), 0); k.flags&abi.IORING_ENTER_NO_IOWAIT != 0 {
			t.Error("counts as idle, still")
		}
		k.flags |= before
	}},
}

// sleepingThread waits until the ring's kernel thread looks for entries no more.
func sleepingThread(t *testing.T, r *Ring) {
	t.Helper()
	patience.Until(t, "the kernel thread's sleep", func() bool {
		return r.sqShown.flags.Load()&abi.IORING_SQ_NEED_WAKEUP != 0
	})
}

// TestEnterFlags: each flag reaches the kernel by the method that is for it, and does what it is for.
func TestEnterFlags(t *testing.T) {
	for _, row := range enterTests {
		t.Run(row.name, func(t *testing.T) {
			need(t)
			if !newerThan(row.since) {
				t.Skipf("needs Linux %s", row.since)
			}
			k := &throughKernel{}
			row.cfg.seam.Kernel = k
			r := openWith(t, 4, row.cfg, "5.13")
			k.flags = 0
			row.run(t, r)
			if k.flags&row.flag == 0 {
				t.Errorf("the kernel was never told: flags %#x", k.flags)
			}
		})
	}
}
