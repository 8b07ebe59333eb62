//go:build linux

package uring

import (
	"runtime"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// A plain call that a signal interrupts is made again: a goroutine that was told to wait would wait for a readiness of
// which it was told before. It is not parallel, because the table is everybody's.
func TestTryGoesOnAfterEINTR(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d := opener("")(t, driver.Config{Entries: 4, Slab: op.NewSlab(0), Now: func() int64 { return 0 }})
	defer d.Close(new(driver.Queue))
	row := op.Table[op.Accept]
	defer func() { op.Table[op.Accept] = row }()
	for _, last := range []int32{7, -sys.EAGAIN} {
		left := 3
		op.Table[op.Accept].Attempt = func(*op.Op) int32 {
			if left--; left > 0 {
				return -sys.EINTR
			}
			return last
		}
		if res, ok := d.Try(&op.Op{Code: op.Accept}); res != last && ok || ok != (last >= 0) || left != 0 {
			t.Errorf("Try gave %d, %t, with %d calls to come; want %d", res, ok, left, last)
		}
	}
}
