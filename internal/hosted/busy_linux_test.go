//go:build linux

package hosted

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestBusyGrows(t *testing.T) {
	var b busy
	b.note(lateMax)
	if b.now() {
		t.Error("busy, and nothing was late")
	}
	late := func() {
		for range latesMin {
			b.note(lateMax + 1)
		}
	}
	for range latesMin - 1 {
		b.note(lateMax + 1)
	}
	b.note(0)
	b.note(lateMax + 1)
	if b.now() {
		t.Error("busy, and it was not late often in a row")
	}
	b.note(0)
	for _, want := range []time.Duration{busyMin, 2 * busyMin, 4 * busyMin} {
		late()
		late() // while it is known, nothing changes
		b.note(0)
		if !b.now() || b.last != want {
			t.Errorf("busy: %v, for %v, want %v", b.now(), b.last, want)
		}
		b.until = time.Now() // it has passed
	}
	for range 20 {
		late()
		b.until = time.Now()
	}
	if b.last != busyMax {
		t.Errorf("busy for %v, want %v at most", b.last, busyMax)
	}
	b.note(0)
	if b.now() || b.last != 0 {
		t.Errorf("still busy: %+v", b)
	}
}

// TestBusy has goroutines that compute on all Ps: reads must become plain calls.
func TestBusy(t *testing.T) {
	d := newDisk(t, 1<<20, 0)
	h := open(t, Config{Few: 1})
	var stop atomic.Bool
	for range 2 * runtime.GOMAXPROCS(0) {
		go func() {
			for n := 0; !stop.Load(); n++ {
			}
		}()
	}
	defer stop.Store(true)
	r := h.rings[0].Load()
	var seen atomic.Bool
	end := time.Now().Add(20 * time.Second)
	together(8, func(i int) {
		p := make([]byte, block)
		for !seen.Load() && time.Now().Before(end) {
			d.check(t, h, p, int64(i)*block)
			r.mu.Lock()
			if r.busy.now() {
				seen.Store(true)
			}
			r.mu.Unlock()
		}
	})
	if !seen.Load() {
		t.Fatal("nobody noticed in 20 s that all Ps compute")
	}
	before := h.Info().Stats
	together(8, func(i int) { d.check(t, h, make([]byte, block), int64(i)*block) })
	if after := h.Info().Stats; after.Plain-before.Plain == 0 {
		t.Errorf("no plain call: %+v, before %+v", after, before)
	}
}
