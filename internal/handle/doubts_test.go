package handle

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
type fake struct{ number DoubtNumber }

func (f *fake) Doubt() *DoubtNumber { return &f.number }
func (f *fake) Doubted()            {}

// doubting is what is known of a connection in the queue.
type doubting struct {
	ns    int64 // until it is looked at
	heard bool
}

// Doubts are held against a map: who came in leaves when it is due and nothing was heard, or when it says so, and
// never sooner, whatever the others do; and the queue grows with those that came in lately only.
func TestDoubts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, conns := range []int{2, 2000} {
		onEngine(t, func(l *loop.Loop) { playDoubts(t, l, rand.New(rand.NewPCG(seed, 1)), conns) })
	}
}

func playDoubts(t *testing.T, l *loop.Loop, r *rand.Rand, conns int) {
	d := new(Doubts[*fake])
	d.Init(l)
	all := make([]*fake, conns)
	for i := range all {
		all[i] = new(fake)
	}
	left := map[*fake]*doubting{}
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
			if c.number == 0 {
				left[c] = &doubting{ns: int64(doubtAfter)}
			} else {
				left[c].heard = true
			}
			d.Heard(c)
		case 3, 4:
			d.Believe(c)
			delete(left, c)
		case 5:
			pass(r.Int64N(int64(doubtAfter) / 100))
		case 6:
			fireDoubts(d, left)
		case 7:
			d.Trim()
		}
		if conns < 10 {
			checkDoubts(t, d, all, left)
		}
		if n := cap(d.queue); n > max(4*conns, 1000) {
			t.Fatalf("of %d connections the queue has grown to %d", conns, n)
		}
	}
	checkDoubts(t, d, all, left)
	for range 2 { // the second time nobody is fresh any more
		pass(int64(doubtAfter))
		fireDoubts(d, left)
		checkDoubts(t, d, all, left)
	}
	if d.Trim(); len(left) > 0 || d.armed || d.queue != nil {
		t.Errorf("in the end %d are left, armed %t, with memory for %d", len(left), d.armed, cap(d.queue))
	}
}

// fireDoubts has the timer fire for all that are due, as often as that takes.
func fireDoubts(d *Doubts[*fake], left map[*fake]*doubting) {
	for again := true; again; {
		for c, w := range left {
			if w.ns > 0 {
				continue
			}
			if delete(left, c); w.heard {
				left[c] = &doubting{ns: int64(doubtAfter)}
			}
		}
		d.Fire(&d.timer)
		again = d.head < len(d.queue) && (d.queue[d.head].c == nil || d.queue[d.head].at <= d.l.NowNS())
	}
}

// checkDoubts compares.
func checkDoubts(t *testing.T, d *Doubts[*fake], all []*fake, left map[*fake]*doubting) {
	t.Helper()
	for i, c := range all {
		w, in := left[c]
		if in != (c.number != 0) {
			t.Fatalf("connection %d: in the queue %t, want %t", i, c.number != 0, in)
		}
		if in && d.queue[c.number.place()] != (doubt[*fake]{c, w.ns + d.l.NowNS()}) {
			t.Fatalf("connection %d is not where it believes to be, or due at another time", i)
		}
	}
}
