package sim_test

import (
	"fmt"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
)

// BenchmarkHour is an hour of 100 clients that ask three servers, ten times a second in all.
func BenchmarkHour(b *testing.B) {
	for b.Loop() {
		sim.Run(b, 1, func(w *sim.World) {
			w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.001}
			w.Host("server").Run(nil, echo)
			w.RunFor(time.Second) // it listens by then
			for _, name := range []string{"b", "c"} {
				w.Host(name).Run(nil, echo)
			}
			var clients []*sim.Program
			for i := range 100 {
				clients = append(clients, w.Host(fmt.Sprint("client", i)).Run(nil, func(l *ringo.Loop) error {
					return asks(l, 360, 10*time.Second)
				}))
			}
			w.Check(w.Wait(clients...))
		})
	}
}

// BenchmarkOps is what a simulated operation costs: a client asks as fast as it can.
func BenchmarkOps(b *testing.B) {
	sim.Run(b, 1, func(w *sim.World) {
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second) // it listens by then
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, b.N, 0) })
		w.Check(w.Wait(c))
	})
	b.ReportMetric(float64(4*b.N)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkWorld is a world with a server and a client, from its making to its end.
func BenchmarkWorld(b *testing.B) {
	for b.Loop() {
		sim.Run(b, 1, func(w *sim.World) {
			w.Host("server").Run(nil, echo)
			w.RunFor(time.Second) // it listens by then
			c := w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, 1, 0) })
			w.Check(w.Wait(c))
		})
	}
}
