package sim_test

import (
	"math"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

// What can't be meant fails the world at once, by its name, whether a call is given it or a field is set.
func TestWrongArguments(t *testing.T) {
	var foreign *sim.Host
	var program *sim.Program
	sim.Run(t, 2, func(w *sim.World) {
		foreign = w.Host("elsewhere")
		program = foreign.Run(nil, func(*ringo.Loop) error { return nil })
	})
	link := func(l sim.Link) func(*sim.World, *sim.Host) {
		return func(w *sim.World, h *sim.Host) { w.Connect(h, h, l) }
	}
	links := func(l sim.Link) func(*sim.World, *sim.Host) {
		return func(w *sim.World, h *sim.Host) {
			w.Link = l
			w.Host("server").Run(nil, echo)
			w.Wait(h.Run(nil, func(l *ringo.Loop) error { return asks(l, 1, time.Second) }))
		}
	}
	storm := func(s sim.Storm) func(*sim.World, *sim.Host) {
		return func(w *sim.World, _ *sim.Host) { w.Storm(time.Hour, s) }
	}
	disk := func(d sim.Disk) func(*sim.World, *sim.Host) {
		return func(w *sim.World, h *sim.Host) {
			h.Disk = d
			w.Wait(h.Run(nil, func(*ringo.Loop) error { return file.WriteFile("/data/x", []byte("x"), 0o600) }))
		}
	}
	for want, script := range map[string]func(w *sim.World, h *sim.Host){
		"World.Connect: Link.Latency is -1h0m0s":           link(sim.Link{Latency: -time.Hour}),
		"World.Connect: Link.Jitter is -1ns":               link(sim.Link{Jitter: -1}),
		"World.Connect: Link.Bandwidth is -1":              link(sim.Link{Bandwidth: -1}),
		"World.Connect: Link.Loss is NaN":                  link(sim.Link{Loss: math.NaN()}),
		"World.Connect: Link.Duplicate is -0.1":            link(sim.Link{Duplicate: -0.1}),
		"World.Connect: Link.Reorder is 2":                 link(sim.Link{Reorder: 2}),
		"World.Connect: Link.Split is +Inf":                link(sim.Link{Split: math.Inf(1)}),
		"World.Connect: Link.MTU is -5":                    link(sim.Link{MTU: -5}),
		"World.Link is invalid: Link.Loss is NaN":          links(sim.Link{Loss: math.NaN()}),
		"World.Link is invalid: Link.Latency is -1s":       links(sim.Link{Latency: -time.Second}),
		"World.Storm: Storm.Down is -1ns":                  storm(sim.Storm{Crash: time.Minute, Down: -1}),
		"World.Storm: Storm.Crash is -1s":                  storm(sim.Storm{Crash: -time.Second}),
		"World.Storm: Storm.Step is -1s":                   storm(sim.Storm{Clock: time.Minute, Step: -time.Second}),
		"World.Storm: Storm.MidTurn is NaN":                storm(sim.Storm{MidTurn: math.NaN()}),
		"host here is misconfigured: Disk.Latency is -1ns": disk(sim.Disk{Latency: -1}),
		"host here is misconfigured: Disk.FailSync is NaN": disk(sim.Disk{FailSync: math.NaN()}),
		"host here is misconfigured: Disk.Short is 2":      disk(sim.Disk{Short: 2}),
		"host here is misconfigured: Disk.Capacity is -1":  disk(sim.Disk{Capacity: -1}),
		"host here is misconfigured: Calls.ShortSend is 1.5": func(w *sim.World, h *sim.Host) {
			h.Calls.ShortSend = 1.5
			disk(sim.Disk{})(w, h)
		},
		"host here is misconfigured: Names.Fail is -1": func(w *sim.World, h *sim.Host) {
			h.Names.Fail = -1
			disk(sim.Disk{})(w, h)
		},
		"World.Storm: the host \"elsewhere\"": storm(sim.Storm{Hosts: []*sim.Host{foreign}}),
		"World.Connect: the host \"elsewhere\"": func(w *sim.World, h *sim.Host) {
			w.Connect(h, foreign, sim.Link{})
		},
		"World.Cut: the host \"elsewhere\"":  func(w *sim.World, h *sim.Host) { w.Cut(h, foreign) },
		"World.Mend: the host \"elsewhere\"": func(w *sim.World, h *sim.Host) { w.Mend(foreign, h) },
		"World.Reset: the host \"elsewhere\"": func(w *sim.World, h *sim.Host) {
			w.Reset(h, foreign)
		},
		"World.Partition: the host \"elsewhere\"": func(w *sim.World, _ *sim.Host) {
			w.Partition(foreign)
		},
		"World.Note: the host \"elsewhere\"": func(w *sim.World, _ *sim.Host) {
			w.Note(foreign, "x")
		},
		"World.Wait: the host \"elsewhere\"": func(w *sim.World, _ *sim.Host) { w.Wait(program) },
		"World.Wait: a host or program is nil": func(w *sim.World, _ *sim.Host) {
			w.Wait(nil)
		},
		"World.Cut: a host or program is nil": func(w *sim.World, h *sim.Host) {
			w.Cut(nil, h)
		},
		"World.Host: \"HERE.\": host 1 has the name \"here\"": func(w *sim.World, _ *sim.Host) {
			w.Host("HERE.")
		},
		"Host.Run: the function is nil": func(w *sim.World, h *sim.Host) {
			w.Wait(h.Run(nil, nil))
		},
		"World.After: the function is nil": func(w *sim.World, _ *sim.Host) {
			w.After(time.Second, nil)
		},
		"World.RunUntil: the function is nil": func(w *sim.World, _ *sim.Host) {
			w.RunUntil(time.Second, nil)
		},
		"Host.DriftClock: the rate is NaN": func(_ *sim.World, h *sim.Host) {
			h.DriftClock(math.NaN())
		},
		"Host.DriftClock: the rate is -Inf": func(_ *sim.World, h *sim.Host) {
			h.DriftClock(math.Inf(-1))
		},
	} {
		s := &stage{recorder: recorder{TB: t}}
		sim.Run(s, 1, func(w *sim.World) { script(w, w.Host("here")) })
		s.want(t, want, "seed 1")
	}
	for want, run := range map[string]func(){
		"sim: Run: the function is nil":     func() { sim.Run(t, 1, nil) },
		"sim: Explore: the function is nil": func() { sim.Explore(t, 1, nil) },
		"sim: Explore: 0 worlds":            func() { sim.Explore(t, 0, func(*sim.World) {}) },
		"sim: Explore: -1 worlds":           func() { sim.Explore(t, -1, func(*sim.World) {}) },
	} {
		func() {
			defer func() {
				if v := recover(); v != want {
					t.Errorf("%v, want %s", v, want)
				}
			}()
			run()
		}()
	}
}

// What the edges of the settings allow is allowed.
func TestRightArguments(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{MTU: 1}
		h, server := w.Host("here"), w.Host("server")
		server.Run(nil, echo)
		h.Disk = sim.Disk{Short: 1}
		w.Connect(h, server, sim.Link{Split: 1, Latency: time.Millisecond})
		w.Storm(time.Hour, sim.Storm{})
		w.Storm(time.Hour, sim.Storm{Hosts: []*sim.Host{}, Crash: time.Second})
		w.RunFor(time.Second)
		w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error { return asks(l, 2, time.Second) })))
	})
}
