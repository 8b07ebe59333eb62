package sim_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// The end of a storm's partition mends what it has cut itself, and neither what the script has cut nor what another
// partition has.
func TestStormMendsItsOwn(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		s, c := w.Host("server"), w.Host("client")
		s.Run(nil, echo)
		w.RunFor(time.Second)
		w.Cut(s, c)
		w.Cut(s, c)
		w.Storm(time.Minute, sim.Storm{Partition: 5 * time.Second, Cut: 5 * time.Second})
		w.Wait(c.Run(nil, func(l *ringo.Loop) error {
			if _, err := sock.Dial(l, "tcp", "server:7000"); err == nil {
				w.Errorf("a dial over a way that was cut, and that nobody has mended")
			}
			return nil
		}))
		w.Mend(s, c)
		w.RunFor(time.Minute)
		w.Check(w.Wait(c.Run(nil, func(l *ringo.Loop) error { return asks(l, 1, 0) })))
		w.Storm(time.Hour, sim.Storm{Partition: time.Second, Cut: time.Hour})
		w.RunFor(time.Minute)
		w.MendAll()
		w.Check(w.Wait(c.Run(nil, func(l *ringo.Loop) error { return asks(l, 1, 0) })))
	})
}

// Case and a dot at the end count for nothing in a name.
func TestSameNames(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("Here")
		w.Name("Alias.example", "here")
		w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error {
			for _, name := range []string{"here", "HERE.", "localhost.", "LocalHost", "alias.EXAMPLE."} {
				var wrong *net.DNSError
				if _, err := sock.Dial(l, "tcp", name+":1"); errors.As(err, &wrong) {
					w.Errorf("%v", err)
				}
			}
			return nil
		})))
	})
}

// A look-up that gives another host never gives the right one.
func TestWrongNames(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		s, c := w.Host("server"), w.Host("client")
		s.Run(nil, echo)
		w.RunFor(time.Second)
		c.Names.Wrong = 1
		w.Check(w.Wait(c.Run(nil, func(l *ringo.Loop) error {
			for range 20 {
				if _, err := sock.Dial(l, "tcp", "server:7000"); err == nil {
					w.Errorf("a wrong look-up gives the right host")
				}
			}
			return nil
		})))
	})
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("server")
		h.Names.Wrong = 1
		w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error { sock.Dial(l, "tcp", "server:1"); return nil })))
		if n := len(w.Faults()); n != 0 {
			w.Errorf("%d faults where there is no other host", n)
		}
	})
}
