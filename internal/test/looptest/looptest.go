// Package looptest runs loops in tests of the engine and of packages that inspect it.
package looptest

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/internal/watch"
)

// EachDriver runs f for the drivers that testmain.EachDriver selects, with a configuration of one loop that f may
// change.
func EachDriver(t *testing.T, f func(t *testing.T, cfg *loop.Config)) {
	t.Helper()
	usable := func(name string) error { return Run(t, Small(name), func(*loop.Loop) error { return nil }) }
	testmain.EachDriver(t, usable, func(t *testing.T, name string) { f(t, Small(name)) })
}

// AnyDriver returns the name of a driver that works here, for tests in which the driver plays no part.
func AnyDriver(t testing.TB) string {
	for _, name := range testmain.Drivers() {
		if Run(t, Small(name), func(*loop.Loop) error { return nil }) == nil {
			return name
		}
	}
	t.Skip("no driver works here")
	panic("unreachable")
}

// Small returns a cheap configuration: one loop, little memory.
func Small(name string) *loop.Config {
	return &loop.Config{
		Loops: 1, Entries: 32, Buffers: 2, BufferSize: 64, Leases: 2, Budget: 256, Offload: 16,
		Grace: 5 * time.Second, Stall: -1, HardStop: 5 * time.Second,
		CPUs:    func() int { return math.MaxInt }, // so that no test gets the warning of too many loops
		Clock:   time.Now,
		Open:    func(cfg driver.Config) (driver.Driver, error) { return open.Open(name, cfg) },
		Warn:    func(string, ...any) {},
		Observe: watch.Observe,
	}
}

// Run is loop.Run; it fails the test if the Run does not end.
func Run(t testing.TB, cfg *loop.Config, fn func(*loop.Loop) error) error {
	t.Helper()
	return RunContext(t, context.Background(), cfg, fn)
}

// RunContext is Run with a context.
func RunContext(t testing.TB, ctx context.Context, cfg *loop.Config, fn func(*loop.Loop) error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx, cfg, fn) }()
	return patience.Recv(t, "the end of Run", ended)
}

// Clock is a clock that a test can move. It has no monotonic reading, so that the loop sees what the test does to it.
type Clock struct {
	Offset atomic.Int64
	Reads  atomic.Int64
}

// Now is meant for Config.Clock.
func (c *Clock) Now() time.Time {
	c.Reads.Add(1)
	return time.Now().Round(0).Add(time.Duration(c.Offset.Load()))
}

// Jump moves the clock.
func (c *Clock) Jump(d time.Duration) { c.Offset.Add(int64(d)) }
