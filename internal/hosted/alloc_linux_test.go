//go:build linux

package hosted

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// TestNoAllocs: by the ring, past the page cache and in it, with a context, and as one
// of few.
func TestNoAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	name := makeFile(t, 1<<20)
	for _, c := range []struct {
		name  string
		flags int
		few   int
		ctx   context.Context
	}{
		{"cached", 0, onRing, context.Background()},
		{"direct", unix.O_DIRECT, onRing, context.Background()},
		{"with a context", unix.O_DIRECT, onRing, ctx},
		{"few", unix.O_DIRECT, 4, context.Background()},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := reopen(t, name, 1<<20, c.flags)
			h := open(t, Config{Few: c.few})
			o := &op.Op{Code: op.ReadAt, FD: &d.fd, Buf: aligned(block), Off: block}
			if got := alloctest.Least(500, 0.1, func() {
				if res, ok := h.Do(c.ctx, o); !ok || res != block {
					t.Fatal(res, ok)
				}
			}); got > 0.1 {
				t.Errorf("%v allocations, want 0", got)
			}
		})
	}
}
