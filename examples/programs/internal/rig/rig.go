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

// Patience is how long a test waits for what must happen. It passes only when a test fails.
const Patience = 30 * time.Second

// AllDrivers are all drivers.
var AllDrivers = []string{"uring", "uring-poll", "epoll", "poll", "select"}

// EachDriver runs f for each of the named drivers that this kernel has, or for the one that RINGO_DRIVER forces.
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

// Loops starts n loops on a driver.
func Loops(t testing.TB, driver string, n int) *Rig {
	t.Helper()
	return Start(t, ringo.Config{Driver: driver, Loops: n})
}

// Start starts loops. The Run ends at End, Drain or the end of the test.
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

// Loop returns the first loop.
func (r *Rig) Loop() *ringo.Loop { return r.Loops[0] }

// Drain ends Run's context: accepting stops, and open connections have until Grace is over.
func (r *Rig) Drain() { r.cancel() }

// End ends the loops' functions, and waits for the end of the Run, which must be orderly. A second call does nothing.
func (r *Rig) End() {
	r.T.Helper()
	r.left.Do(func() {
		r.leave.Close()
		select {
		case <-r.done:
		case <-time.After(Patience):
			panic(r.T.Name() + ": the Run does not end") // prints all stacks
		}
		r.cancel()
		if r.err != nil {
			r.T.Errorf("Run: %v", r.err)
		}
		r.Loops = nil // their buffers would live until the test's end
	})
}

// Listen makes a listener of the first loop, on a free port. The end of the test closes it.
func (r *Rig) Listen() *sock.Listener {
	r.T.Helper()
	ln, err := r.TryListen()
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(func() { ln.Close() })
	return ln
}

// TryListen is Listen, but returns the error, and does not close the listener.
func (r *Rig) TryListen() (ln *sock.Listener, err error) {
	l := r.Loop()
	if e := l.Go(func() { ln, err = sock.Listen(l, "tcp", "127.0.0.1:0") }).Wait(); e != nil {
		return nil, e
	}
	return ln, err
}

// DialContext is a dial function for programs that take one. Its connections belong to the last loop.
func (r *Rig) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return new(sock.Dialer).Func(r.Loops[len(r.Loops)-1])(ctx, network, address)
}

// Within runs f. If f takes longer than Patience, it ends the process with all stacks.
func Within(t testing.TB, f func()) {
	alarm := time.AfterFunc(Patience, func() { panic(t.Name() + ": not done") })
	defer alarm.Stop()
	f()
}
