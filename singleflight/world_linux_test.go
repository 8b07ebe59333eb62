//go:build linux

package singleflight_test

import (
	"context"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
)

// In a world the time of a call is the world's.
func TestInWorld(t *testing.T) {
	sim.RunLoop(t, func(l *ringo.Loop) error {
		var g group
		begun, ended := l.Now(), 0
		for range 3 {
			l.Go(func() {
				ended++
				v, shared, err := g.Do(nil, "key", func(context.Context) (int, error) { return 7, l.Sleep(time.Hour) })
				if v != 7 || !shared || err != nil || l.Now().Sub(begun) != time.Hour {
					t.Errorf("Do: %d, %v, %v, after %v", v, shared, err, l.Now().Sub(begun))
				}
			})
		}
		err := l.Sleep(2 * time.Hour)
		if ended != 3 {
			t.Errorf("%d calls of Do", ended)
		}
		return err
	})
}
