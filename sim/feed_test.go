package sim_test

import (
	"context"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// A Feed that outlives the crash of its host goes on with those that follow it afterwards, whether the messages were
// about to be passed on, or were being so.
func TestFeedOutlivesCrashes(t *testing.T) {
	const messages = 600 // more than may wait to be passed on
	for name, conns := range map[string]int{"before": 1, "amid": 400} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				h := w.Host("h")
				var f sock.Feed
				crash := func() { h.Crash(); h.Restart() }
				runs := 0
				p := h.Run(nil, func(l *ringo.Loop) error {
					publish := func() error { return f.Publish(context.Background(), []byte("x")) }
					if runs++; runs == 2 {
						for range messages {
							if err := l.WithTimeout(time.Minute, publish); err != nil {
								return err
							}
						}
						return nil
					}
					for range conns {
						c, _, err := sock.Pipe(l)
						if err != nil {
							return err
						}
						if err := f.Add(c); err != nil {
							return err
						}
					}
					if conns == 1 {
						l.Post(crash)
					}
					if err := publish(); err != nil {
						return err
					}
					if conns > 1 {
						l.Yield()
						l.Go(crash)
					}
					return l.Sleep(time.Hour)
				})
				w.RunFor(3 * time.Hour)
				w.Check(p.Err())
				if s := f.Stats(); runs != 2 || s.Published != messages+1 || s.Conns != 0 {
					w.Errorf("%d runs, and %+v", runs, s)
				}
			})
		})
	}
}
