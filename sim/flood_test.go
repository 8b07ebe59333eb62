package sim_test

import (
	"testing"

	"ringo"
	"ringo/sim"
)

// A Run that is at its end ends, although another one's tasks post to it more than its turns take in: what was accepted
// has run, and who was not is told.
func TestEndsUnderAFlood(t *testing.T) {
	const most, ahead = 200_000, 1000
	for _, together := range []bool{false, true} {
		sim.Run(t, 1, func(w *sim.World) {
			here := w.Host("here")
			var to *ringo.Loop
			taken, ran := 0, 0
			s := ringo.NewSharded(func(*ringo.Loop) (int, error) { return 0, nil })
			cfg := &ringo.Config{Loops: 2, Budget: 1}
			if together {
				cfg.Start = s.Start
			}
			ends := here.Run(cfg, func(l *ringo.Loop) error {
				if l.Index() == 0 {
					to = l
					for taken < ahead {
						l.Yield()
					}
				}
				return nil
			})
			floods := here.Run(&ringo.Config{Loops: 4}, func(l *ringo.Loop) error {
				for ; taken < most; l.Yield() {
					for to != nil && taken-ran < ahead {
						if err := to.Post(func() { ran++ }); err != nil {
							if err != ringo.ErrEnded {
								w.Errorf("a post: %v", err)
							}
							return nil
						}
						taken++
					}
				}
				w.Errorf("%d posts were accepted", taken)
				return nil
			})
			w.Check(w.Wait(ends, floods))
			if ran != taken {
				w.Errorf("%d of %d posts that were accepted have run", ran, taken)
			}
		})
	}
}
