package ringo_test

import (
	"context"
	"slices"
	"testing"

	"ringo"
)

// Loops finds the loops of all Runs, and none that has ended; Info tells the Runs apart.
func TestLoopsOfTheProcess(t *testing.T) {
	before := len(ringo.Loops())
	var outer, inner []*ringo.Loop
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() != 0 {
			return l.Loops()[0].Call(func() error { return nil }) // both have begun then
		}
		if err := l.Loops()[1].Call(func() error { return nil }); err != nil {
			return err
		}
		outer = l.Loops()
		return l.Offload(func(context.Context) error {
			return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				inner = l.Loops()
				if l.Info().Run == outer[0].Info().Run || outer[0].Info().Run != outer[1].Info().Run {
					t.Errorf("Runs %d, %d and %d", l.Info().Run, outer[0].Info().Run, outer[1].Info().Run)
				}
				all := ringo.Loops()
				for _, want := range []*ringo.Loop{l, outer[0]} {
					if !slices.Contains(all, want) {
						t.Errorf("Loops lacks loop %d of Run %d", want.Index(), want.Info().Run)
					}
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(inner) != 1 || inner[0].Info().Run == 0 {
		t.Fatalf("%d inner loops", len(inner))
	}
	if after := ringo.Loops(); len(after) != before {
		t.Errorf("%d loops after the Runs have ended, %d before", len(after), before)
	}
}
