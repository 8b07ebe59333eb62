//go:build linux

package open

import (
	"fmt"
	"sync/atomic"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// calls submits n calls of f behind those that keep all workers of the driver busy until release, which waits for all.
func calls(tb testing.TB, d driver.Driver, slab *op.Slab, n int, f func(i int)) (waiting []*op.Op, release func()) {
	var done driver.Queue
	begun, gate := make(chan bool, running), make(chan bool)
	submit := func(f func()) *op.Op {
		o := slab.Get(op.Call)
		o.Sink = ignored{}
		slab.Ext(o).Call = f
		d.Submit(o)
		return o
	}
	for range running {
		submit(func() { begun <- true; <-gate })
	}
	for i := range n {
		waiting = append(waiting, submit(func() { f(i) }))
	}
	if err := d.Wait(driver.Poll, &done); err != nil {
		tb.Fatal(err)
	}
	for range running {
		<-begun
	}
	return waiting, func() {
		close(gate)
		for slab.Used() > 0 {
			if err := d.Wait(driver.Forever, &done); err != nil {
				tb.Fatal(err)
			}
			for c, ok := done.Pop(); ok; c, ok = done.Pop() {
				slab.Put(c.Op)
			}
		}
	}
}

const running = 16 // filesMax of the drivers

// Calls that wait for a disk are cancelled in any order, and those in between go on.
func TestCancelAmongCalls(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			slab := op.NewSlab(0)
			withSlab(name, slab, func(d driver.Driver, err error) {
				if err != nil {
					t.Skip(err)
				}
				var ran [60]atomic.Bool
				waiting, release := calls(t, d, slab, len(ran), func(i int) { ran[i].Store(true) })
				for i := range waiting {
					if i = i * 37 % len(waiting); i%2 == 0 {
						d.Cancel(waiting[i])
					}
				}
				release()
				for i := range ran {
					if ran[i].Load() != (i%2 == 1) {
						t.Errorf("call %d ran: %v; every other one was cancelled", i, ran[i].Load())
					}
				}
			})
		})
	}
}

// BenchmarkCancelCalls cancels calls that wait for a busy disk, the oldest first. The time of each does not depend on
// how many wait.
func BenchmarkCancelCalls(b *testing.B) {
	for _, name := range []string{Uring, Epoll} {
		for _, n := range []int{100, 20_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				slab := op.NewSlab(0)
				withSlab(name, slab, func(d driver.Driver, err error) {
					if err != nil {
						b.Skip(err)
					}
					for b.Loop() {
						b.StopTimer()
						waiting, release := calls(b, d, slab, n, func(int) {})
						b.StartTimer()
						for _, o := range waiting {
							d.Cancel(o)
						}
						b.StopTimer()
						release()
						b.StartTimer()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/cancel")
				})
			})
		}
	}
}
