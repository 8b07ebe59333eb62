//go:build linux

package soft

import (
	"testing"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// flood is a poller that costs nothing and where everybody is always ready.
type flood struct {
	poller.Poller
	keys []uint64
	at   int
}

func (f *flood) Add(_ int32, _ uint32, key uint64) int32 {
	if key != wakeKey {
		f.keys = append(f.keys, key)
	}
	return 0
}

func (f *flood) Remove(int32) int32 { return 0 }

func (f *flood) Wait(_ int64, events []poller.Event) int32 {
	n := min(len(events), len(f.keys))
	for i := range n {
		events[i] = poller.Event{Key: f.keys[f.at], Ready: sys.PollIn | sys.PollOut}
		if f.at++; f.at == len(f.keys) {
			f.at = 0
		}
	}
	return int32(n)
}

// BenchmarkEvent is what an edge costs from the poller's event to the loop's
// completion, without system calls.
func BenchmarkEvent(b *testing.B) {
	for _, conns := range []struct {
		name string
		n    int
	}{{"conns=50", 50}, {"conns=1000", 1000}, {"conns=10000", 10000}} {
		b.Run(conns.name, func(b *testing.B) {
			f := new(flood)
			r := newRigOn(b, func(without []string) (p poller.Poller, err error) {
				f.Poller, err = poller.OpenEpoll(without)
				return f, err
			})
			for i := range conns.n {
				x := new(fd.FD)
				x.Init(int32(1<<20 + i))
				r.watch(x)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := r.done.Pop(); ok {
					continue
				}
				if err := r.d.Wait(driver.Poll, &r.done); err != nil {
					b.Fatal(err)
				}
				r.done.Pop()
			}
		})
	}
}

// BenchmarkSubmit is an op that completes at once, from Submit to completion.
func BenchmarkSubmit(b *testing.B) {
	r := newRig(b)
	b.ReportAllocs()
	var ops [64]*op.Op
	for i := range ops {
		ops[i] = r.slab.Get(op.Nop)
	}
	for n := 0; b.Loop(); n++ {
		i := n % len(ops)
		r.d.Submit(ops[i])
		if i == len(ops)-1 {
			r.poll()
			for _, ok := r.done.Pop(); ok; _, ok = r.done.Pop() {
			}
		}
	}
	r.poll()
	for _, ok := r.done.Pop(); ok; _, ok = r.done.Pop() {
	}
	for _, o := range ops {
		r.slab.Put(o)
	}
}
