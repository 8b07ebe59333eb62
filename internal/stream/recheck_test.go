package stream

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"ringo/internal/driver"
	drivers "ringo/internal/driver/open"
	"ringo/internal/loop"
)

// onEngine runs f on a loop.
func onEngine(t *testing.T, f func(l *loop.Loop)) {
	t.Helper()
	name := cmp.Or(os.Getenv("RINGO_DRIVER"), drivers.Auto)
	cfg := &loop.Config{
		Loops: 1, Entries: 32, Buffers: 2, BufferSize: 64, Leases: 2, Budget: 256, Offload: 16,
		Grace: time.Second, Stall: -1, HardStop: time.Second, Clock: time.Now,
		Open: func(cfg driver.Config) (driver.Driver, error) { return drivers.Open(name, cfg) },
		Warn: func(string, ...any) {},
	}
	if err := loop.Run(context.Background(), cfg, func(l *loop.Loop) error { f(l); return nil }); err != nil {
		t.Error(err)
	}
}

// fake is a connection.
type fake struct{ In }

func (f *fake) Input() *In { return &f.In }
func (f *fake) Recheck()   {}

// awaited is what is known of a connection in the queue.
type awaited struct {
	ns    int64 // until it is looked at
	heard bool
}

// Rechecks are held against a map: who came in leaves when it is due and nothing was heard, or when it says so, and
// never sooner, whatever the others do; and the queue grows with those that came in lately only.
func TestRechecks(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, conns := range []int{2, 2000} {
		onEngine(t, func(l *loop.Loop) { playRechecks(t, l, rand.New(rand.NewPCG(seed, 1)), conns) })
	}
}

func playRechecks(t *testing.T, l *loop.Loop, r *rand.Rand, conns int) {
	d := new(Rechecks[*fake])
	d.Init(l)
	all := make([]*fake, conns)
	for i := range all {
		all[i] = new(fake)
	}
	left := map[*fake]*awaited{}
	pass := func(ns int64) {
		for i := range d.queue {
			d.queue[i].at -= ns
		}
		for _, w := range left {
			w.ns -= ns
		}
	}
	for range 20_000 {
		c := all[r.IntN(conns)]
		switch r.IntN(8) {
		case 0, 1, 2:
			if c.recheck == 0 {
				left[c] = &awaited{ns: int64(recheckAfter)}
			} else {
				left[c].heard = true
			}
			d.Heard(c)
		case 3, 4:
			d.Drop(c)
			delete(left, c)
		case 5:
			pass(r.Int64N(int64(recheckAfter) / 100))
		case 6:
			fireRechecks(d, left)
		case 7:
			d.Trim()
		}
		if conns < 10 {
			compareRechecks(t, d, all, left)
		}
		if n := cap(d.queue); n > max(4*conns, 1000) {
			t.Fatalf("of %d connections the queue has grown to %d", conns, n)
		}
	}
	compareRechecks(t, d, all, left)
	for range 2 { // the second time nobody is fresh any more
		pass(int64(recheckAfter))
		fireRechecks(d, left)
		compareRechecks(t, d, all, left)
	}
	if d.Trim(); len(left) > 0 || d.armed || d.queue != nil {
		t.Errorf("in the end %d are left, armed %t, with memory for %d", len(left), d.armed, cap(d.queue))
	}
}

// fireRechecks has the timer fire for all that are due, as often as that takes.
func fireRechecks(d *Rechecks[*fake], left map[*fake]*awaited) {
	for again := true; again; {
		for c, w := range left {
			if w.ns > 0 {
				continue
			}
			if delete(left, c); w.heard {
				left[c] = &awaited{ns: int64(recheckAfter)}
			}
		}
		d.Fire(&d.timer)
		again = d.head < len(d.queue) && (d.queue[d.head].c == nil || d.queue[d.head].at <= d.l.NowNS())
	}
}

// compareRechecks compares.
func compareRechecks(t *testing.T, d *Rechecks[*fake], all []*fake, left map[*fake]*awaited) {
	t.Helper()
	for i, c := range all {
		w, in := left[c]
		if in != (c.recheck != 0) {
			t.Fatalf("connection %d: in the queue %t, want %t", i, c.recheck != 0, in)
		}
		if in && d.queue[c.recheck.place()] != (recheck[*fake]{c, w.ns + d.l.NowNS()}) {
			t.Fatalf("connection %d is not where it believes to be, or due at another time", i)
		}
	}
}
