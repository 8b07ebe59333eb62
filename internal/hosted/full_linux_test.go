//go:build linux

package hosted

import (
	"context"
	"testing"

	"ringo/internal/op"
)

// TestFull fills a ring and its queue.
func TestFull(t *testing.T) {
	const slots, queue = 4, 3
	h := open(t, Config{Few: onRing, InFlight: slots, Queue: queue})
	p := newPipe(t)
	var got []<-chan answer
	for range slots {
		got = append(got, p.read(context.Background(), h, make([]byte, 1)))
	}
	inFlight(t, h, slots)
	ctx, cancel := context.WithCancel(context.Background())
	leaves := p.read(ctx, h, make([]byte, 1))
	until(t, "one waits", func() bool { return h.Info().Waiting == 1 })
	for range queue - 1 {
		got = append(got, p.read(context.Background(), h, make([]byte, 1)))
	}
	until(t, "all wait", func() bool { return h.Info().Waiting == queue })

	want(t, p.read(context.Background(), h, make([]byte, 1)), 0, false)
	cancel()
	want(t, leaves, canceled, true)
	if info := h.Info(); info.Used != slots || info.Waiting != queue-1 || info.Stats.Refused != 1 {
		t.Errorf("%+v", info)
	}
	p.write(t, "123456")
	for _, g := range got {
		want(t, g, 1, true)
	}
	until(t, "all out", func() bool { return h.Info().Used == 0 })
}

// TestFullRing has far more readers than slots.
func TestFullRing(t *testing.T) {
	d := newDisk(t, 4<<20, 0)
	h := open(t, Config{Few: onRing, InFlight: 2})
	ends := newPipe(t) // has the slots until somebody waits for one: on one processor nobody would
	var held []<-chan answer
	for range 2 {
		held = append(held, ends.read(context.Background(), h, make([]byte, 1)))
	}
	inFlight(t, h, 2)
	go func() {
		until(t, "one waits", func() bool { return h.Info().Waiting > 0 })
		ends.write(t, "12")
	}()
	together(200, func(i int) {
		p := make([]byte, block)
		for n := range 20 {
			d.check(t, h, p, int64((i*20+n)%1024)*block)
		}
	})
	for _, g := range held {
		want(t, g, 1, true)
	}
	if s := stats(t, h); s.Queued == 0 || s.Refused != 0 || s.Submitted < 4000 {
		t.Errorf("%+v", s)
	}
}

// TestCloseRefuses: those under way come to their end, those that wait for room don't
// begin, and nobody is let in.
func TestCloseRefuses(t *testing.T) {
	h := open(t, Config{Few: onRing, InFlight: 1})
	p := newPipe(t)
	under := p.read(context.Background(), h, make([]byte, 1))
	inFlight(t, h, 1)
	waits := p.read(context.Background(), h, make([]byte, 1))
	until(t, "one waits", func() bool { return h.Info().Waiting == 1 })
	closed := make(chan error)
	go func() { closed <- h.Close() }()
	want(t, waits, 0, false)
	want(t, p.read(context.Background(), h, make([]byte, 1)), 0, false)
	select {
	case err := <-closed:
		t.Fatal("closed over a read that is under way:", err)
	default:
	}
	p.write(t, "x")
	want(t, under, 1, true)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Error("closed again:", err)
	}
	if _, ok := h.Do(context.Background(), &op.Op{Code: op.ReadAt, FD: &p.fd, Buf: make([]byte, 1), Off: -1}); ok {
		t.Error("a closed ring took an op")
	}
}

// TestCloseUnderFire closes while everybody reads.
func TestCloseUnderFire(t *testing.T) {
	d := newDisk(t, 1<<20, 0)
	for _, few := range []int{onRing, 4} {
		for range 20 {
			h := open(t, Config{Few: few, InFlight: 8, Rings: 2})
			closed := make(chan error, 2)
			together(50, func(i int) {
				p := make([]byte, block)
				if i < 2 {
					defer func() { closed <- h.Close() }()
				}
				for n := 0; ; n++ {
					off := int64((i+n)%256) * block
					res, ok := h.Do(context.Background(), &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: p, Off: off})
					if !ok {
						return
					}
					if res != block || wrong(p, off) >= 0 {
						t.Errorf("read %d, wrong at %d", res, wrong(p, off))
					}
					if n == 10 && i < 2 {
						break
					}
				}
			})
			for range 2 {
				if err := <-closed; err != nil {
					t.Error(err)
				}
			}
		}
	}
}
