package ringo_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	// A test starts this binary again to see how a process ends.
	if name := os.Getenv(childEnv); name != "" {
		children[name]()
		os.Exit(0)
	}
	testmain.Main(m)
}

// childEnv says what the test binary shall be when it is not to run tests.
const childEnv = "RINGO_TEST_CHILD"

// children are programs that tests run in a process of their own, because the
// process ends with them or has to be another kind of process.
var children = map[string]func(){}

// child makes the command of such a program.
func child(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	if children[name] == nil {
		t.Fatalf("no child %q", name)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = childEnvironment(name, env...)
	return cmd
}

func childEnvironment(name string, env ...string) []string {
	all := append(os.Environ(), childEnv+"="+name)
	return append(all, env...)
}

// output runs a child and gives what it said and its exit status.
func output(t *testing.T, cmd *exec.Cmd) (text string, code int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return testmain.Uncrowded(string(out)), cmd.ProcessState.ExitCode()
}

// saysUntil runs a child that ends when a line comes in, sends it one when until reports of a line on its stderr that
// this was enough, and gives all that it said there.
func saysUntil(t *testing.T, cmd *exec.Cmd, until func(line string) bool) string {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	text, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	alarm := time.AfterFunc(limit, func() { io.WriteString(in, "go on\n") })
	defer alarm.Stop()
	var said strings.Builder
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if until(lines.Text()) {
			io.WriteString(in, "go on\n")
		}
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		t.Errorf("%v, having said\n%s", err, &said)
	}
	return said.String()
}

// limit bounds every wait of these tests. It is no measure of anything: whoever
// runs into it hangs.
var limit = patience.Max

// usable asks once for each driver whether it can be had here.
var usable = sync.OnceValue(func() map[string]error {
	defer os.Setenv("RINGO_DRIVER", os.Getenv("RINGO_DRIVER"))
	os.Unsetenv("RINGO_DRIVER")
	reasons := map[string]error{}
	for _, name := range open.Names()[1:] {
		cfg := small(name)
		reasons[name] = ringo.Run(context.Background(), &cfg, func(*ringo.Loop) error { return nil })
	}
	return reasons
})

// forced is the driver that the environment asks for; "" if it leaves the choice.
func forced() string {
	if name := os.Getenv("RINGO_DRIVER"); name != open.Auto {
		return name
	}
	return ""
}

// eachDriver runs f for the drivers that testmain.EachDriver plays, with a configuration of one loop that f may change.
func eachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	testmain.EachDriver(t, func(name string) error { return usable()[name] }, func(t *testing.T, name string) {
		f(t, small(name))
	})
}

// anyDriver is a configuration for tests of what no driver has a part in.
func anyDriver(t testing.TB) ringo.Config {
	for _, name := range testmain.Drivers() {
		if usable()[name] == nil {
			return small(name)
		}
	}
	t.Skip("no driver works here: ", usable())
	panic("unreachable")
}

// small is a cheap configuration: one loop, little memory.
func small(driver string) ringo.Config {
	return ringo.Config{Driver: driver, Loops: 1, Entries: 32, Buffers: 2, BufferSize: 64}
}

// run is ringo.Run with a context that does not end, in bounded time.
func run(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop) error) error {
	t.Helper()
	return runContext(t, context.Background(), cfg, fn)
}

func runContext(t testing.TB, ctx context.Context, cfg ringo.Config, fn func(l *ringo.Loop) error) error {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = testmain.Reports(t)
	}
	return receive(t, "the end of Run", start(ctx, cfg, fn))
}

// start begins a Run and gives the channel on which its error will come.
func start(ctx context.Context, cfg ringo.Config, fn func(l *ringo.Loop) error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- ringo.Run(ctx, &cfg, fn) }()
	return ended
}

// mustRun is run for programs that end in order.
func mustRun(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop)) {
	t.Helper()
	if err := run(t, cfg, func(l *ringo.Loop) error { fn(l); return nil }); err != nil {
		t.Fatalf("Run: %v", err)
	}
}

// beside runs fn on loop 0 while the other loops only serve what they are sent.
func beside(t testing.TB, cfg ringo.Config, fn func(l *ringo.Loop)) {
	t.Helper()
	done := errors.New("done")
	err := run(t, cfg, func(l *ringo.Loop) error {
		if l.Index() > 0 {
			return l.Sleep(time.Hour)
		}
		fn(l)
		return done
	})
	if err != done {
		t.Fatalf("Run: %v", err)
	}
}

// receive takes a value from ch.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	return patience.Recv(t, what, ch)
}

// await is receive for a task: only the task waits, not its loop.
func await[T any](t testing.TB, l *ringo.Loop, what string, ch <-chan T) (v T) {
	var err error
	l.Offload(func(context.Context) error {
		v, err = patience.Receive(ch)
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v\n\n%s", what, err, patience.Stacks())
	}
	return v
}

// sleepUntil lets other tasks and threads go on until done says so, as long as
// that takes but not for ever. It reports whether it ever did.
func sleepUntil(t testing.TB, l *ringo.Loop, what string, done func() bool) bool {
	var failed error
	pause := func() { failed = l.Sleep(100 * time.Microsecond) }
	err := patience.Poll(pause, func() bool { return failed != nil || done() })
	if err = errors.Join(err, failed); err != nil {
		t.Errorf("%s: %v\n\n%s", what, err, patience.Stacks())
	}
	return err == nil
}

// eventually is sleepUntil for ordinary goroutines.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	patience.Until(t, what, done) // with pauses: a look that posts would give a loop more than it takes in
}

// skipUnderRace is for tests that count what the detector adds to.
func skipUnderRace(t testing.TB) {
	t.Helper()
	if race.Enabled {
		t.Skip("the race detector allocates and takes time of its own")
	}
}

// panics gives what f panics with.
func panics(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func equalList[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// addCleanup sends to gone once v is garbage.
func addCleanup[T any](v *T, gone chan<- bool) {
	runtime.AddCleanup(v, func(gone chan<- bool) { gone <- true }, gone)
}

// collect collects garbage until something comes from ch, and passes it on.
func collect(ch <-chan bool) <-chan bool {
	out := make(chan bool, 1)
	go func() {
		for began := time.Now(); time.Since(began) < limit; runtime.GC() {
			select {
			case v := <-ch:
				out <- v
				return
			default:
			}
		}
	}()
	return out
}
