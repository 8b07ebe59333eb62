package rig

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Patience is how long anything may take that must come. It passes only when a test
// fails.
const Patience = 30 * time.Second

// AllDrivers are the drivers that there are.
var AllDrivers = []string{"uring", "uring-poll", "epoll", "poll", "select"}

// EachDriver runs f for the drivers named, as far as this kernel has them, or for
// the one that the environment forces.
func EachDriver(t *testing.T, names []string, f func(t *testing.T, driver string)) {
	t.Helper()
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" {
		names = []string{forced}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var setup *ringo.SetupError
			err := ringo.Run(context.Background(), &ringo.Config{Driver: name, Loops: 1}, func(*ringo.Loop) error {
				return nil
			})
			if errors.As(err, &setup) {
				t.Skip(setup)
			}
			f(t, name)
		})
	}
}

// A Rig is loops that run until the end of a test.
type Rig struct {
	T     testing.TB
	Loops []*ringo.Loop

	cancel context.CancelFunc
	leave  *ringo.Chan[struct{}]
	left   sync.Once
	done   chan struct{}
	err    error
}

// Loops starts n loops.
func Loops(t testing.TB, driver string, n int) *Rig {
	t.Helper()
	return Start(t, ringo.Config{Driver: driver, Loops: n})
}

// Start starts loops. The Run ends at End, Cancel or the end of the test.
func Start(t testing.TB, cfg ringo.Config) *Rig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Rig{T: t, Loops: make([]*ringo.Loop, cfg.Loops), cancel: cancel, leave: ringo.NewChan[struct{}](0),
		done: make(chan struct{})}
	started := make(chan *ringo.Loop, cfg.Loops)
	go func() {
		defer close(r.done)
		r.err = ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			started <- l //ringo:offloaded there is room for all of them
			r.leave.Recv()
			return nil
		})
	}()
	t.Cleanup(r.End)
	for range cfg.Loops {
		select {
		case l := <-started:
			r.Loops[l.Index()] = l
		case <-r.done:
			t.Fatalf("Run: %v", r.err)
		}
	}
	return r
}

// Loop is the first loop.
func (r *Rig) Loop() *ringo.Loop { return r.Loops[0] }

// Drain ends Run's context: accepts stop, and what is open has its time of grace.
func (r *Rig) Drain() { r.cancel() }

// End lets the loops go, and waits for the end of the Run, which must be orderly. To
// call it again does nothing.
func (r *Rig) End() {
	r.T.Helper()
	r.left.Do(func() {
		r.leave.Close()
		select {
		case <-r.done:
		case <-time.After(Patience):
			panic(r.T.Name() + ": the Run does not end") // with all stacks
		}
		r.cancel()
		if r.err != nil {
			r.T.Errorf("Run: %v", r.err)
		}
		r.Loops = nil // with their buffers, which the test would keep until its end
	})
}

// Listen makes a listener of the first loop, on a port of its own. It is closed
// with the test.
func (r *Rig) Listen() *sock.Listener {
	r.T.Helper()
	ln, err := r.TryListen()
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(func() { ln.Close() })
	return ln
}

// TryListen is Listen that gives the error, and leaves the listener open.
func (r *Rig) TryListen() (ln *sock.Listener, err error) {
	l := r.Loop()
	if e := l.Go(func() { ln, err = sock.Listen(l, "tcp", "127.0.0.1:0") }).Wait(); e != nil {
		return nil, e
	}
	return ln, err
}

// DialContext dials as programs do that take such a function. The connection belongs
// to the last loop.
func (r *Rig) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return new(sock.Dialer).Func(r.Loops[len(r.Loops)-1])(ctx, network, address)
}

// Within ends the process with all stacks if f takes longer than anything may.
func Within(t testing.TB, f func()) {
	alarm := time.AfterFunc(Patience, func() { panic(t.Name() + ": not done") })
	defer alarm.Stop()
	f()
}
