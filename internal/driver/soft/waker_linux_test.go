//go:build linux

package soft

import (
	"testing"

	"ringo/internal/sys"
	"ringo/internal/test/kqueuetest"
)

// A waker that is a pipe has room for so many bytes, and then makes no more edges: so it is emptied, though an eventfd
// need not be. It is a pipe with -tags portable.
func TestWakesForEver(t *testing.T) {
	r := newRigOn(t, openShim(sys.KqueueTraits{Receipts: true}, kqueuetest.Oddities{FullPipe: true}))
	const more = 70_000 // than a pipe takes, which is 65536
	for n := range more {
		r.d.gate.Announce() // as a Wait does that is about to sleep
		r.d.signal()
		if got := r.d.p.Wait(0, r.d.events[:]); got != 1 {
			t.Fatalf("signal %d made %d events", n, got)
		}
		r.d.event(&r.d.events[0])
		r.d.awake()
	}
}
