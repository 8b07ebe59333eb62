//go:build linux

package hosted

import (
	"context"
	"testing"

	"ringo/internal/op"
	"ringo/uring"
)

// TestCloseWaitsForPlain: Close waits for plain calls, too, as their descriptors and memory
// are lent until they end.
func TestCloseWaitsForPlain(t *testing.T) {
	h := open(t, Config{Few: 4})
	p := newPipe(t)
	got := p.read(context.Background(), h, make([]byte, 1))
	r := h.rings[0].Load()
	locked := func(f func() bool) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return f()
	}
	until(t, "the plain call", func() bool { return locked(func() bool { return r.plain == 1 }) })
	closed := make(chan error, 1)
	go func() { closed <- h.Close() }()
	until(t, "Close begun", func() bool { return locked(func() bool { return r.closing }) })
	if !locked(func() bool { return r.idle != nil }) {
		t.Error("Close does not wait for the plain call")
	}
	p.write(t, "x")
	want(t, got, 1, true)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestLateCompletions: a completion ends an op in flight alone, and only one without marks.
func TestLateCompletions(t *testing.T) {
	h := open(t, Config{Few: onRing})
	r := h.rings[0].Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.slab.Get(op.ReadAt)
	defer r.slab.Put(o)
	c := &call{op: o, code: op.ReadAt, done: make(chan struct{}, 1)}
	o.Sink = c
	for _, s := range []struct {
		name  string
		state op.State
		marks uint64
		ends  bool
	}{
		{"waits", op.Queued, 0, false},
		{"has ended", op.Idle, 0, false},
		{"another's mark", op.InFlight, op.TokenMarks, false},
		{"in flight", op.InFlight, 0, true},
	} {
		stale := r.stats.Stale
		o.State = s.state
		got := r.dispatch(&uring.CQE{UserData: o.Token() | s.marks, Res: 7})
		if (got == c) != s.ends || (r.stats.Stale == stale) != s.ends {
			t.Errorf("%s: it ends %v, stale %d, want that it ends the op: %v", s.name, got, r.stats.Stale-stale, s.ends)
		}
		o.State = op.Idle
	}
}
