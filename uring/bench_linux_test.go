//go:build linux

package uring

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/mask"
	"ringo/internal/seam"
)

// BenchmarkNop is a turn of n NOPs: prepare, one Enter, drain. Per turn, not per NOP.
func BenchmarkNop(b *testing.B) {
	for _, wait := range []bool{false, true} {
		for _, n := range []int{1, 32} {
			b.Run(fmt.Sprintf("wait=%v/batch=%d", wait, n), func(b *testing.B) {
				r := open(b, 64, nil)
				cqes := make([]CQE, 64)
				var min uint32
				if wait {
					min = uint32(n)
				}
				b.ReportAllocs()
				for b.Loop() {
					for i := range n {
						e := r.SQE()
						e.PrepNop()
						e.SetUserData(uint64(i))
					}
					r.Enter(min, true, -1)
					if r.Drain(cqes) != n {
						b.Fatal("CQEs are missing")
					}
				}
			})
		}
	}
}

// BenchmarkEnter is the call with nothing to do, with the descriptor and with its registered index.
func BenchmarkEnter(b *testing.B) {
	for _, direct := range []bool{false, true} {
		b.Run(fmt.Sprintf("ringfd=%v", !direct), func(b *testing.B) {
			r := open(b, 64, &Config{WithoutRingFD: direct})
			for b.Loop() {
				r.Enter(0, true, -1)
			}
		})
	}
	// what a ring would pay if it always called one by an interface
	b.Run("through another kernel", func(b *testing.B) {
		m, err := mask.Parse(CheckSyncCancel)
		if err != nil {
			b.Fatal(err)
		}
		r := open(b, 64, &Config{seam: seam.Seam{Mask: m}})
		for b.Loop() {
			r.Enter(0, true, -1)
		}
	})
}

// BenchmarkTimeout is a wait for nothing of no time.
func BenchmarkTimeout(b *testing.B) {
	need(b, CheckExtArg)
	r := open(b, 64, nil)
	for b.Loop() {
		r.Enter(1, false, 0)
	}
}

// BenchmarkPrep is what user space does to 32 entries, without the kernel.
func BenchmarkPrep(b *testing.B) {
	k := &fakeKernel{}
	r := openFake(b, k, 32, Config{})
	p := make([]byte, 64)
	for b.Loop() {
		for i := range uint64(32) {
			e := r.SQE()
			e.PrepRecv(3, p, 0)
			e.SetUserData(i)
		}
		r.sqHead = r.sqTail
	}
}

// BenchmarkCQ is taking 32 CQEs, without the kernel.
func BenchmarkCQ(b *testing.B) {
	k := &fakeKernel{}
	r := openFake(b, k, 32, Config{CQEntries: 32})
	cqes := make([]CQE, 32)
	b.Run("CQE", func(b *testing.B) {
		for b.Loop() {
			*k.cqTail += 32
			for {
				if _, ok := r.CQE(); !ok {
					break
				}
			}
		}
	})
	b.Run("Drain", func(b *testing.B) {
		for b.Loop() {
			*k.cqTail += 32
			if r.Drain(cqes) != 32 {
				b.Fatal("CQEs are missing")
			}
		}
	})
}

// BenchmarkEcho sends 64 bytes over a socket pair and receives them by a multishot recv.
func BenchmarkEcho(b *testing.B) {
	need(b, CheckRecvMultishot)
	r := open(b, 64, nil)
	bufs, err := r.BufRing(1, 8, 64)
	if err != nil {
		b.Fatal(err)
	}
	defer bufs.Close()
	x, y := socketpair(b, unix.SOCK_STREAM)
	r.SQE().PrepRecvMultishot(y, 1, 0)
	p := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		e := r.SQE()
		e.PrepSend(x, p, 0)
		e.SetFlags(SQECQESkipSuccess)
		r.Enter(1, false, time.Second)
		c, ok := r.CQE()
		if !ok || c.Res != 64 || !c.More() {
			b.Fatalf("got %+v, %v", c, ok)
		}
		bufs.Return(c.BufID())
	}
}
