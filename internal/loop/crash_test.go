package loop_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ringo/internal/loop"
)

// crashEnv names the driver of a process that shall crash.
const crashEnv = "RINGO_TEST_CRASH"

// crash panics where only a mistake of ours could: in the engine, as a task ends.
func crash() {
	loop.Run(context.Background(), small(os.Getenv(crashEnv)), func(l *loop.Loop) error {
		l.GoThen(func() {}, func(error) { panic("a mistake of the engine's") })
		return nil
	})
	os.Exit(0)
}

// A panic of the engine's own ends the program, with its place.
func TestEnginePanicIsNotSwallowed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), crashEnv+"="+nameOf(t), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "a mistake of the engine's") ||
			!strings.Contains(string(out), "loop_test.crash") {
			t.Errorf("%v, want exit status 2 and the place\n%s", err, out)
		}
	})
}

// nameOf is the driver's name in a test of eachDriver.
func nameOf(t *testing.T) string { return t.Name()[strings.LastIndexByte(t.Name(), '/')+1:] }
