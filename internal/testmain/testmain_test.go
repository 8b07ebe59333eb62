package testmain

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// leakEnv says to a child process what TestLeave has to leave behind.
const leakEnv = "RINGO_TEST_LEAK"

var (
	slots = func() *atomic.Int64 {
		var n atomic.Int64
		n.Store(3) // in use before the tests, and so no leak
		Register("slots", func() int { return int(n.Load()) })
		return &n
	}()
	forever = make(chan bool)
)

func TestMain(m *testing.M) {
	if os.Getenv(leakEnv) != "" {
		settleMax = 500 * time.Millisecond
	}
	Main(m)
}

// A leak is something that TestLeave does in a child, and what the gate must say
// to it after the tests have passed; nothing means that it must be content.
type leak struct {
	do   func(t *testing.T)
	says string
}

var leaksMade = map[string]leak{
	"": {func(*testing.T) {}, ""},
	"goroutine": {func(*testing.T) {
		go func() { <-forever }()
	}, "goroutines: goroutine"},
	"counter": {func(*testing.T) { slots.Add(2) }, "slots: 5 in use, 3 before the tests"},
	"late counter": {func(*testing.T) {
		Register("buffers", func() int { return 1 })
	}, "buffers: 1 in use, 0 before the tests"},
	"behind a finalizer": {func(*testing.T) {
		runtime.SetFinalizer(new([64]byte), func(*[64]byte) { <-forever })
		runtime.GC()
		if _, err := os.Open(os.DevNull); err != nil { // dropped: a finalizer is to close it
			panic(err)
		}
	}, "held up, and with it what else has a cleanup: goroutine"},
	"goroutine that ends soon": {func(*testing.T) {
		go func() { <-time.After(100 * time.Millisecond) }()
	}, ""},
}

// TestLeave leaves behind what the environment says: nothing in this process.
func TestLeave(t *testing.T) {
	if name := os.Getenv(leakEnv); name != "failure" {
		leaksMade[name].do(t)
		return
	}
	slots.Add(1)
	t.Fatal("on purpose")
}

func TestMainCatches(t *testing.T) {
	self := executable(t)
	for _, name := range slices.Sorted(maps.Keys(leaksMade)) {
		want := leaksMade[name].says
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code := runLeave(t, self, name)
			if want == "" {
				if code != 0 {
					t.Errorf("exit status %d, want 0\n%s", code, out)
				}
				return
			}
			if code != 1 || !strings.Contains(out, "PASS") || !strings.Contains(out, want) {
				t.Errorf("exit status %d, want 1 after PASS and %q\n%s", code, want, out)
			}
		})
	}
}

// A test that fails has its own words; what it left behind is not one more fault.
func TestMainLeavesFailuresAlone(t *testing.T) {
	out, code := runLeave(t, executable(t), "failure")
	if code != 1 || !strings.Contains(out, "FAIL: TestLeave") || strings.Contains(out, "left behind") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// runLeave runs TestLeave in a child process that leaves what name says.
func runLeave(t *testing.T, self, name string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestLeave$", "-test.v")
	cmd.Env = append(os.Environ(), leakEnv+"="+name, "GORACE=atexit_sleep_ms=0")
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}
