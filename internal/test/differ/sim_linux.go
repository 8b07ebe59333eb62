//go:build linux

package differ

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sim"
)

// Sim is this module in simulated worlds, one for each plan, whose seed is the program. It runs plans of tasks,
// iterators and callbacks.
type Sim struct {
	Label  string // the name, if it is not "sim"
	Config ringo.Config
	Rough  bool // disks take their time, and calls get half of things done
}

func (m Sim) Name() string {
	if m.Label != "" {
		return m.Label
	}
	return "sim"
}

func (m Sim) Open() (Session, error) { return m, nil }

func (m Sim) Close() error { return nil }

// Ground is in each world: the world's disk, and a port of the loopback.
func (m Sim) Ground(*Plan) (g Ground, clear func(), err error) {
	return Ground{"/data/d", "127.0.0.1:9"}, func() {}, nil
}

// Run plays the world of a plan. What the world says has failed is its error.
func (m Sim) Run(p *Plan, setup func(w World), body func(i int, w World)) error {
	cfg := m.Config
	cfg.Loops, cfg.OnPanic = Loops, onPanic
	t := &told{}
	defer t.clean()
	sim.Run(t, p.seed, func(w *sim.World) {
		host := w.Host("here")
		if m.Rough {
			host.Disk = sim.Disk{Latency: 50 * time.Microsecond, Jitter: time.Millisecond, Short: 0.2}
			host.Calls = sim.Calls{ShortSend: 0.2}
		}
		over := ringo.NewChan[int](0)
		w.Check(w.Wait(host.Run(&cfg, func(l *ringo.Loop) error {
			if l.Index() > 0 {
				over.Recv()
				return nil
			}
			defer over.Close()
			if err := file.MkdirAll("/data/d"+folders, 0o700); err != nil {
				return err
			}
			return RunOn(l, p.Callers, host.Pause, setup, body)
		})))
	})
	return t.err
}

// told is the test that a world fails.
type told struct {
	testing.TB // nobody: a world calls what is here
	err        error
	after      []func()
}

func (t *told) Helper()          {}
func (t *told) Name() string     { return "Programs" }
func (t *told) Failed() bool     { return t.err != nil }
func (t *told) Skipped() bool    { return false }
func (t *told) Cleanup(f func()) { t.after = append(t.after, f) }

// FailNow is what a task that has ended itself leads to, of which Errorf was told.
func (t *told) FailNow() {}

// Errorf leaves out how the world alone is played again, since a program is.
func (t *told) Errorf(_ string, args ...any) {
	for _, text := range args {
		said, _, _ := strings.Cut(text.(string), "\nto run it again")
		t.err = errors.Join(t.err, errors.New(said))
	}
}

func (t *told) clean() {
	for _, f := range t.after {
		f()
	}
}
