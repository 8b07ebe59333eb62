package ringo_test

import (
	"testing"

	"ringo"
)

// What many tasks ask another loop at a time, and its answers, share their wakes.
func TestHopsShareWakes(t *testing.T) {
	const tasks, rounds = 256, 20
	for _, hop := range hops {
		t.Run(hop.way, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.Loops = 2
				beside(t, cfg, func(l *ringo.Loop) {
					other := l.Loops()[1]
					asked := ringo.NewChan[question](tasks)
					defer asked.Close()
					other.Post(func() { answer(asked) })
					took := func() float64 {
						before := wakesOf(l)
						each(l, tasks, func() {
							ask := hop.new(l, other, asked)
							for i := range rounds {
								if got := ask(i); got != i+1 {
									t.Errorf("asked with %d, answered %d", i, got)
								}
							}
						})
						return wakesOf(l) - before
					}
					// On a machine that is busy with others the loops may take turns for a while, a hop each.
					fewest := took()
					for again := 0; fewest > tasks*rounds/4 && again < 9; again++ {
						fewest = min(fewest, took())
					}
					if fewest > tasks*rounds/4 {
						t.Errorf("%d hops and back took %v wakes", tasks*rounds, fewest)
					}
				})
			})
		})
	}
}
