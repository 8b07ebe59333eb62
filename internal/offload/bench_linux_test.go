//go:build linux

package offload

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"ringo/internal/sys"
)

// BenchmarkHandOver is what a job of no length costs a loop that sleeps for it, as
// a loop does, on a thread of its own in a system call: with a worker that is
// started for it, and with one that is parked in a channel.
func BenchmarkHandOver(b *testing.B) {
	event := sys.Eventfd()
	defer sys.Close(event)
	signal := func() { sys.Signal(event) }
	wait := func() {
		for sys.Poll(event, sys.PollIn) == 0 {
			pollFor(event, time.Second)
		}
		sys.Unsignal(event)
	}
	for _, c := range []struct {
		name  string
		begin func() (submit, end func())
	}{
		{"started", func() (submit, end func()) {
			p, j := New(1), &Job{Run: signal}
			return func() { p.Submit(j) }, func() { p.Close(jobMax) }
		}},
		{"parked", func() (submit, end func()) {
			jobs := make(chan *Job)
			j := &Job{Run: signal}
			go func() {
				for j := range jobs {
					j.Run()
				}
			}()
			return func() { jobs <- j }, func() { close(jobs) }
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			submit, end := c.begin()
			defer end()
			b.ReportAllocs()
			for b.Loop() {
				submit()
				wait()
			}
		})
	}
}

// BenchmarkRead reads blocks of 4 KiB past the page cache, so many at once.
func BenchmarkRead(b *testing.B) {
	event := sys.Eventfd()
	defer sys.Close(event)
	a, err := OpenAIO(64, event)
	if err != nil {
		b.Skip(err)
	}
	defer a.Close(0)
	file, where := directFile(b, a, event)
	if file < 0 {
		b.Skip(where)
	}
	w := NewWorkers(16, nil, func() { sys.Signal(event) })
	defer w.Close(jobMax)
	for name, e := range map[string]Engine{"workers": w, "aio": a} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/depth=%d", name, depth), func(b *testing.B) { readMany(b, e, event, file, depth) })
		}
	}
}

func readMany(b *testing.B, e Engine, event, file int32, depth int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	idle := make([]*Request, depth)
	for i := range idle {
		idle[i] = &Request{Kind: Read, FD: file, Buf: aligned(block)}
	}
	refused := 0
	b.ReportAllocs()
	b.SetBytes(block)
	for i := 0; b.Loop(); i++ {
		for len(idle) == 0 {
			q := e.Next()
			if q == nil {
				e.Flush()
				sleep(b, event)
				continue
			}
			if q.Res != block {
				refused++
			}
			idle = append(idle, q)
		}
		q := idle[len(idle)-1]
		q.Off = int64(i%blocks) * block
		if res := e.Submit(q); res != 0 {
			b.Fatalf("submit = %d", res)
		}
		idle = idle[:len(idle)-1]
	}
	e.Flush()
	for e.Pending() > 0 {
		if e.Next() == nil {
			sleep(b, event)
		}
	}
	b.ReportMetric(float64(refused)/float64(b.N), "refused/op")
}
