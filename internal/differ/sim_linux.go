//go:build linux

package differ

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/loop"
	"ringo/sim"
)

// Sim is this module in simulated worlds, one for each plan, whose seed is the program. It runs plans of tasks and
// iterators.
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
	cfg.Loops = Loops
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
			return RunOn(l, p.Callers, func(w World) { setup(simWorld{w.(*ringoWorld)}) },
				func(i int, w World) { body(i, simWorld{w.(*ringoWorld)}) })
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
		said, _, _ := strings.Cut(text.(string), "\nto play it again")
		t.err = errors.Join(t.err, errors.New(said))
	}
}

func (t *told) clean() {
	for _, f := range t.after {
		f()
	}
}

// simWorld is an actor's: a task, whose calls on what belongs to another loop are made by Loop.Call there, because in a
// world there is no goroutine that could wait for them.
type simWorld struct{ *ringoWorld }

// on makes a call where a handle belongs.
func on(l *ringo.Loop, f func() error) error {
	if here, _ := loop.Current(); (*ringo.Loop)(here) == l {
		return f()
	}
	return l.Call(f)
}

// at is on for what gives a value.
func at[T any](l *ringo.Loop, f func() (T, error)) (v T, err error) {
	err = on(l, func() (err error) {
		v, err = f()
		return err
	})
	return v, err
}

func (w simWorld) Go(loop, how int, f func(w World)) Child {
	return w.ringoWorld.Go(loop, how, func(c World) { f(simWorld{c.(*ringoWorld)}) })
}

func (w simWorld) Listen(loop int, network, address string) (Listener, error) {
	return at(w.loop(loop), func() (Listener, error) {
		ln, err := w.ringoWorld.Listen(loop, network, address)
		if err != nil {
			return nil, err
		}
		return simListener{ln.(ringoListener)}, nil
	})
}

func (w simWorld) Dial(ctx context.Context, loop int, network, address string) (Conn, error) {
	return at(w.loop(loop), func() (Conn, error) {
		return simulated(w.ringoWorld.Dial(ctx, loop, network, address))
	})
}

func (w simWorld) Serve(ln Listener, how int) (stop func() error) {
	return w.ringoWorld.Serve(ln.(simListener).ln, how)
}

func (w simWorld) ListenPacket(loop int, network, address string) (Packet, error) {
	return w.packet(loop, network, address, w.ringoWorld.ListenPacket)
}

func (w simWorld) DialPacket(loop int, network, address string) (Packet, error) {
	return w.packet(loop, network, address, w.ringoWorld.DialPacket)
}

func (w simWorld) packet(loop int, network, address string,
	open func(loop int, network, address string) (Packet, error)) (Packet, error) {
	l := w.loop(loop)
	return at(l, func() (Packet, error) {
		p, err := open(loop, network, address)
		if err != nil {
			return nil, err
		}
		return simPacket{l, p}, nil
	})
}
