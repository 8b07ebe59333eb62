package loop_test

import (
	"context"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/loop"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

// limit bounds every wait of these tests; whoever runs into it hangs.
var limit = patience.Max

// eachDriver runs f for the drivers that testmain.EachDriver plays, with a configuration of one loop that f may change.
func eachDriver(t *testing.T, f func(t *testing.T, cfg *loop.Config)) {
	t.Helper()
	usable := func(name string) error { return run(t, small(name), func(*loop.Loop) error { return nil }) }
	testmain.EachDriver(t, usable, func(t *testing.T, name string) { f(t, small(name)) })
}

// anyDriver names a driver for tests of what no driver has a part in.
func anyDriver(t testing.TB) string {
	for _, name := range testmain.Drivers() {
		if run(t, small(name), func(*loop.Loop) error { return nil }) == nil {
			return name
		}
	}
	t.Skip("no driver works here")
	panic("unreachable")
}

// small is a cheap configuration: one loop, little memory.
func small(name string) *loop.Config {
	return &loop.Config{
		Loops: 1, Entries: 32, Buffers: 2, BufferSize: 64, Leases: 2, Budget: 256, Offload: 16,
		Grace: 5 * time.Second, Stall: -1, HardStop: 5 * time.Second,
		Clock: time.Now,
		Open:  func(cfg driver.Config) (driver.Driver, error) { return open.Open(name, cfg) },
		Warn:  func(string, ...any) {},
	}
}

func run(t testing.TB, cfg *loop.Config, fn func(*loop.Loop) error) error {
	t.Helper()
	return runContext(t, context.Background(), cfg, fn)
}

func runContext(t testing.TB, ctx context.Context, cfg *loop.Config, fn func(*loop.Loop) error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx, cfg, fn) }()
	return receive(t, "the end of Run", ended)
}

// receive takes a value from ch.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	return patience.Recv(t, what, ch)
}
