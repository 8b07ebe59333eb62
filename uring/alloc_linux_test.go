//go:build linux

package uring

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/test/alloctest"
)

func wantAllocs(t *testing.T, want uint64, what string, f func()) {
	t.Helper()
	most := float64(want) + 0.1 // some are the runtime's own
	if got := alloctest.Least(200, most, f); got > most {
		t.Errorf("%s: want %d allocations, got %v a call", what, want, got)
	}
}

// TestAllocs: nothing on the way of a request allocates, on any kind of ring.
func TestAllocs(t *testing.T) {
	need(t, CheckBufRing, CheckExtArg)
	eachGeometry(t, func(t *testing.T, r *Ring) {
		cqes := make([]CQE, 16)
		wantAllocs(t, 0, "SQE, Enter that waits, CQE", func() {
			r.SQE().PrepNop()
			for r.CQReady() == 0 {
				r.Enter(1, false, time.Second)
			}
			r.CQE()
		})
		wantAllocs(t, 0, "SQE, Enter that does not wait, Drain", func() {
			r.SQE().PrepNop()
			for r.CQReady() == 0 {
				r.Enter(0, true, -1)
			}
			r.Drain(cqes)
		})
		wantAllocs(t, 0, "Enter that times out", func() { r.Enter(1, false, time.Microsecond) })
		wantAllocs(t, 0, "Submit, Wait", func() {
			r.SQE().PrepNop()
			r.Submit()
			r.Wait(1, time.Second)
			r.CQE()
		})
		bufs, err := r.BufRing(1, 8, 64)
		if err != nil {
			t.Fatal(err)
		}
		defer bufs.Close()
		a, b := socketpair(t, unix.SOCK_STREAM)
		text := make([]byte, 32)
		wantAllocs(t, 0, "send, recv into a picked buffer, return it", func() {
			r.SQE().PrepSend(a, text, 0)
			r.Wait(1, time.Second)
			r.CQE()
			r.SQE().PrepRecvSelect(b, 1, 0, 0)
			r.Wait(1, time.Second)
			c, _ := r.CQE()
			if c.Res != 32 {
				t.Fatalf("received %s", result(c.Res))
			}
			bufs.Return(c.BufID())
		})
	})
}
