//go:build linux

package soft

import (
	"runtime"
	"testing"

	"ringo/internal/bufs"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/uring"
)

// rounds are what a loop does all day, each by its name.
func rounds(r *rig) map[string]func() {
	ours, peer := r.tcp()
	watched, watchedPeer := r.tcp()
	streamed, streamedPeer := r.tcp()
	file := r.file("0123456789")
	pool := bufs.NewRingPool(4, 4, 64, nil)
	msg, mem := []byte("ping"), make([]byte, 64)
	watch := r.watch(watched)
	stream := r.stream(streamed, pool)
	try := &op.Op{Code: op.Recv, FD: watched, Buf: mem}
	r.quiet()
	single := func(code op.Code, fill func(o *op.Op), during func()) {
		o := r.slab.Get(code)
		fill(o)
		r.d.Submit(o)
		if during != nil {
			r.poll()
			during()
		}
		r.last(o)
	}
	recv := func(o *op.Op) { o.FD, o.Buf = ours, mem }
	send := func(o *op.Op) { o.FD, o.Buf, o.Flags = ours, msg, op.Full }
	read := func(o *op.Op) { o.FD, o.Buf = file, mem }
	timeout := func(o *op.Op) { r.slab.Ext(o).Time = uring.NewTimespec(1) }
	feed := func() { sys.Send(peer.Sys(), msg, 0) }
	return map[string]func(){
		"echo": func() {
			single(op.Recv, recv, feed)
			single(op.Send, send, nil)
			sys.Recv(peer.Sys(), mem, 0)
		},
		"watch": func() {
			sys.Send(watchedPeer.Sys(), msg, 0)
			r.more(watch)
			r.d.Try(try)
		},
		"stream": func() {
			sys.Send(streamedPeer.Sys(), msg, 0)
			n, flags := r.more(stream)
			pool.Put(pool.Filled(uint16(op.BufferID(flags)), int(n)))
		},
		"file":    func() { single(op.Read, read, nil) },
		"timeout": func() { single(op.Timeout, timeout, nil) },
		"cancel": func() {
			o := r.slab.Get(op.Recv)
			recv(o)
			r.d.Submit(o)
			r.poll()
			r.d.Cancel(o)
			r.last(o)
		},
		"register": func() {
			o := r.slab.Get(op.Poll)
			o.FD, o.Events = ours, sys.PollOut
			r.d.Forget(ours)
			r.d.Submit(o)
			r.last(o)
		},
		"wake": func() { r.d.Wake(); r.wait() },
	}
}

func TestNoAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	r := newRig(t)
	for name, round := range rounds(r) {
		if got := alloctest.Least(100, 0.01, round); got > 0.01 { // the runtime's own, now and then
			t.Errorf("%s: %v allocations a round, want 0", name, got)
		}
	}
}

func BenchmarkRound(b *testing.B) {
	r := newRig(b)
	all := rounds(r)
	for _, name := range []string{"echo", "watch", "stream", "file", "wake"} {
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b.ReportAllocs()
			for b.Loop() {
				all[name]()
			}
		})
	}
}
