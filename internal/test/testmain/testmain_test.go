package testmain

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
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
	if leaksMade[os.Getenv(leakEnv)].says != "" { // what ends by itself has its time
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

// onLostProc is the leak that needs -long and some time.
const onLostProc = "cleanup of a processor that is gone"

func init() {
	leaksMade[onLostProc] = leak{func(t *testing.T) {
		var made, done atomic.Int64
		Register("cleanups", func() int { return int(made.Load() - done.Load()) })
		for round := range 100 { // one in four leaves some
			loseProcs(&made, &done, made.Load()+5000*int64(1+round%20))
			for range 50 {
				if made.Load() == done.Load() {
					break
				}
				runtime.GC()
			}
			if n := made.Load() - done.Load(); n > 0 {
				t.Logf("round %d: %d of %d cleanups have not run", round, n, made.Load())
				return
			}
		}
		t.Log("each cleanup has run: Go does not need reviveProcs any more")
	}, ""}
}

// loseProcs lowers GOMAXPROCS while goroutines sweep and what they drop has cleanups.
func loseProcs(made, done *atomic.Int64, most int64) {
	old := runtime.GOMAXPROCS(8)
	var stop atomic.Bool
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for !stop.Load() {
				made.Add(1)
				runtime.AddCleanup(new([5]int), func(int) { done.Add(1) }, 0)
			}
		})
	}
	for made.Load() < most {
		runtime.Gosched()
	}
	runtime.GOMAXPROCS(old)
	stop.Store(true)
	all.Wait()
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
			if name == onLostProc {
				NeedLong(t, "it collects garbage for seconds; the others look at what else is awaited")
			}
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
