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

// childEnv makes the test binary another program: its name and its driver's.
const childEnv = "RINGO_TEST_CHILD"

// children are programs that need a process of their own, because it ends with
// them or because they leave something behind.
var children = map[string]func(cfg *loop.Config){}

// child runs such a program with the driver that t is about.
func child(t *testing.T, name string) (out []byte, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	driver := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+name+"/"+driver)
	return cmd.CombinedOutput()
}

func runChild(which string) {
	name, driver, _ := strings.Cut(which, "/")
	children[name](small(driver))
	os.Exit(0)
}

func init() {
	// A panic where only a mistake of ours could be: in the engine, as a task ends.
	children["crash"] = func(cfg *loop.Config) {
		loop.Run(context.Background(), cfg, func(l *loop.Loop) error {
			l.Go(func() {}).Then(func(error) { panic("a mistake of the engine's") })
			return nil
		})
	}
}

// A panic of the engine's own ends the program, with its place.
func TestEnginePanicIsNotSwallowed(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		out, err := child(t, "crash")
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 ||
			!strings.Contains(string(out), "a mistake of the engine's") ||
			!strings.Contains(string(out), "crash_test.go") {
			t.Errorf("%v, want exit status 2 and the place\n%s", err, out)
		}
	})
}
