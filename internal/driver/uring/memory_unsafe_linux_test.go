//go:build linux

package uring

import (
	"errors"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/bufs"
	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/seam"
	"ringo/internal/test/uringtest"
	"ringo/uring"
)

// shortOfMemory is a kernel that has no locked memory for buffer rings at first, as
// one that is still giving back what a program before this one was charged.
type shortOfMemory struct {
	*uringtest.Kernel
	refusals, asked int
}

func (k *shortOfMemory) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	if op == abi.IORING_REGISTER_PBUF_RING {
		if k.asked++; k.asked <= k.refusals {
			return -1, syscall.ENOMEM
		}
	}
	return k.Kernel.Register(fd, op, arg, n)
}

// What passes in a moment does not decide how a program receives for its whole
// life: neither in the self-test nor in the driver. What stays is believed, and
// then the ring goes without.
func TestLendingOutwaitsShortage(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const most = 10 // tries, that a start does not take for ever
	for _, refusals := range []int{0, 1, 4, 1 << 30} {
		lends := refusals < most
		k := shortKernel(t, refusals)
		r, err := uring.ProbeFor(seam.Put(&uring.Config{}, seam.Seam{Kernel: k}), asked...)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Require(uring.CheckBufRing)
		if lends != (err == nil) || !lends && (!errors.Is(err, syscall.ENOMEM) || !spared(uring.CheckBufRing, err)) {
			t.Errorf("after %d refusals the self-test says %v", refusals, err)
		}
		if k.asked > most {
			t.Errorf("the self-test asked %d times", k.asked)
		}

		k = shortKernel(t, refusals)
		cfg := driver.Config{Entries: 8, Slab: op.NewSlab(0), Now: func() int64 {
			return 0
		}, Ring: bufs.NewRingPool(2, 2, 64, nil)}
		d, err := openOn(cfg, &uring.Config{}, seam.Seam{Kernel: k}, goReport(t, nil))
		if err != nil {
			t.Fatalf("after %d refusals there is no ring: %v", refusals, err)
		}
		if got := d.Info().Lends; got != lends {
			t.Errorf("after %d refusals the driver lends buffers: %t", refusals, got)
		}
		if k.asked > most {
			t.Errorf("the driver asked %d times", k.asked)
		}
		d.Close(new(driver.Queue))
	}
}

func shortKernel(t *testing.T, refusals int) *shortOfMemory {
	return &shortOfMemory{Kernel: uringtest.New(uringtest.Config{Fail: func(fault string) {
		t.Error(fault)
	}}), refusals: refusals}
}

// A driver that is not opened after all gives the pool back whole: the next one has it.
func TestRefusalGivesThePoolBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := bufs.NewRingPool(2, 2, 64, nil)
	cfg := driver.Config{Entries: 8, Slab: op.NewSlab(0), Now: func() int64 { return 0 }, Ring: pool}
	report := *goReport(t, nil)
	report.Ops = report.Ops.Without(uring.OpTimeout, uring.OpPollAdd)
	if d, err := openOn(cfg, &uring.Config{}, seam.Seam{Kernel: shortKernel(t, 0)}, &report); err == nil {
		d.Close(new(driver.Queue))
		t.Fatal("there is a driver without timeouts and polls")
	}
	if pool.Lends() || pool.Lent() != 0 || pool.Available() != 2 {
		t.Errorf("the pool lends: %t, %d; %d of 2 can be had", pool.Lends(), pool.Lent(), pool.Available())
	}
}
