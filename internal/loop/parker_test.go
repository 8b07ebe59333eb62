package loop_test

import (
	"testing"
	"testing/synctest"

	"ringo/internal/loop"
)

// woken is a wait at p that another goroutine, which wake starts, ends.
func woken(t *testing.T, p *loop.Parker, which int, wake func(func())) {
	t.Helper()
	p.Begin(nil, nil)
	wake(func() {
		if p.Claim(which) {
			p.Wake()
		}
	})
	if got, ok := p.Park(); got != which || !ok {
		t.Errorf("Park: want %d, got %d, %t", which, got, ok)
	}
}

// A Parker that goroutines use over and over may be used in a bubble of testing/synctest and outside of any, in turns,
// and is woken from outside whoever waits.
func TestParkerInAndOutOfBubbles(t *testing.T) {
	outside := make(chan func())
	defer close(outside)
	go func() {
		for f := range outside {
			f()
		}
	}()
	wake := func(f func()) { outside <- f }
	for _, first := range []string{"bubble", "outside"} {
		t.Run(first+" first", func(t *testing.T) {
			var p loop.Parker
			for i := range 6 {
				if (i%2 == 0) == (first == "outside") {
					woken(t, &p, i, wake)
					continue
				}
				synctest.Test(t, func(t *testing.T) { woken(t, &p, i, wake) })
			}
		})
	}
}
