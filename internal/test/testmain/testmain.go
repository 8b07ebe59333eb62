package testmain

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"ringo/internal/invariant"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// settleMax is how long something that goes away by itself may take for that. It is a variable for this package's own
// tests, which leak on purpose.
var settleMax = 15 * time.Second

// An inventory lists what exists of one kind: descriptions for a report, by an identity that is not reused at once.
type inventory map[string]string

// A kind is one kind of thing that can leak.
type kind struct {
	name string
	take func() inventory
}

var kinds = []kind{
	{"descriptors", descriptors},
	{"goroutines", goroutines},
	{"ring mappings", ringMappings},
}

var counters struct {
	sync.Mutex
	inUse map[string]func() int
}

// Register adds a counter of things in use, such as slots or buffers. After the tests the counter must be back at its
// value from before them, or at zero if a test registered it. Any goroutine may call Register, and inUse is called from
// any. A second counter of the same name replaces the first.
func Register(name string, inUse func() int) {
	counters.Lock()
	defer counters.Unlock()
	if counters.inUse == nil {
		counters.inUse = make(map[string]func() int)
	}
	counters.inUse[name] = inUse
}

// Drivers returns the drivers that go test runs suites on. RINGO_DRIVER selects one; by default they are uring, which
// reports completions, and epoll, which reports readiness. The other drivers of the second sort differ in their poller
// alone. Every run tests the contract of package driver on all of them, and .ci/matrix runs the other suites on each.
func Drivers() []string {
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" && forced != "auto" {
		return []string{forced}
	}
	if !sys.HaveEpoll {
		return []string{"poll", "select"}
	}
	return []string{"uring", "epoll"}
}

// EachDriver runs f for the first of Drivers that is usable here, which is the one that auto would choose. With -long
// it runs f for all that are usable. See Drivers for how the others are tested.
func EachDriver(t *testing.T, usable func(driver string) error, f func(t *testing.T, driver string)) {
	t.Helper()
	played := false
	for _, driver := range Drivers() {
		if played && !*long {
			return
		}
		t.Run(driver, func(t *testing.T) {
			if err := usable(driver); err != nil {
				t.Skip(err)
			}
			played = true
			f(t, driver)
		})
	}
}

// crowd matches a Run's warning that the machine has fewer processors than the Run has loops.
var crowd = regexp.MustCompile(`(?m)^ringo: \d+ loops run, and the process may use .*\n`)

// Uncrowded returns a program's output without the warning that the machine has fewer processors than loops: tests must
// not depend on the number of processors.
func Uncrowded(said string) string { return crowd.ReplaceAllString(said, "") }

var long = flag.Bool("long", false, "take what go test leaves to the scripts of .ci")

// Long reports whether -long was given, as .ci/long does. Tests that take more than a second of processor time run only
// with it, or do less without it.
func Long() bool { return *long }

// NeedLong skips a test without -long. why says what the test costs, and what covers the same without -long.
func NeedLong(t testing.TB, why string) {
	t.Helper()
	if !*long {
		t.Skip("needs -long: ", why)
	}
}

// Main runs the tests of m and exits: with their code if they failed, with 1 and a list on stderr if they passed and
// left something behind, else with 0. TestMain calls it.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has something to do afterwards: it returns the exit code.
func Run(m *testing.M) int {
	overlapWaits()
	hurryChildren()
	defer runtime.KeepAlive(ballast())
	startPoller()
	patience.Guard()
	before, counted := takeAll(), countAll()
	code := m.Run()
	if code == 0 && !settle(before, counted) {
		report(os.Stderr, before, counted)
		code = 1
	}
	return code
}

// overlapWaits lets more tests that call Parallel run at once than there are processors. They mostly wait, for example
// for a kernel's timer; tests that count or compute do not call Parallel. A -parallel on the command line overrides it.
func overlapWaits() {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("testmain: " + err.Error())
	}
}

// hurryChildren has processes that tests start end at once: with -race they would sleep for a second first.
func hurryChildren() {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
}

// ballast returns memory that nobody touches, so that it takes none of the machine's. While there is a reference to it,
// the garbage collector begins for each 32 MiB that the tests allocate, and not for each 4 MiB. So much are the buffers
// of a single Run, of which tests start thousands, and a collection costs twice as much as the rest of the Run. A
// higher GOGC would do the same, but processes with much memory would grow to several times of that. In builds with
// -race or invariants, which also find memory that is used when nothing refers to it any more, the collector runs as in
// programs.
func ballast() []byte {
	if race.Enabled || invariant.Enabled {
		return nil
	}
	return make([]byte, 32<<20)
}

// startPoller makes Go start its network poller, which keeps two descriptors until the process ends, so that the first
// inventory has them.
func startPoller() {
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testmain: pipe:", err)
		os.Exit(1)
	}
	r.Close()
	w.Close()
}

// DescriptorsKept notes which descriptors are open. The function that it returns fails the test, and names the
// descriptors, if others are open by then and stay open. It checks repeatedly, because other threads open and close
// some, and calls pause between two checks as patience.UntilBy does.
func DescriptorsKept(t testing.TB) (check func(pause func())) {
	before := descriptors()
	return func(pause func()) {
		t.Helper()
		var left inventory
		err := patience.Poll(pause, func() bool {
			left = descriptors()
			maps.DeleteFunc(left, func(id, _ string) bool { _, was := before[id]; return was })
			return len(left) == 0
		})
		if err != nil {
			t.Errorf("left open: %q (%v)", slices.Sorted(maps.Values(left)), err)
		}
	}
}

func takeAll() []inventory {
	all := make([]inventory, len(kinds))
	for i, k := range kinds {
		all[i] = k.take()
	}
	return all
}

func countAll() map[string]int {
	counters.Lock()
	defer counters.Unlock()
	counts := make(map[string]int)
	for name, inUse := range counters.inUse {
		counts[name] = inUse()
	}
	return counts
}

// settle waits until nothing is left that was not there before, and reports whether that happened within settleMax.
func settle(before []inventory, counted map[string]int) bool {
	deadline := time.Now().Add(settleMax)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if len(leaks(before, counted)) == 0 {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
		if pause == 100*time.Millisecond {
			reviveProcs()
		}
		runtime.GC() // package net keeps pipes for splice(2) until then
	}
}

// reviveProcs raises GOMAXPROCS, which brings back processors (the runtime's p) that Go once had. If GOMAXPROCS was
// lowered during a sweep, a cleanup that the sweep put into the queue of a processor that went away runs only then (Go
// 1.24 to 1.26: (*p).destroy).
func reviveProcs() { runtime.GOMAXPROCS(min(2*runtime.GOMAXPROCS(0), procsMost)) }

// procsMost is more processors than tests ever have.
const procsMost = 1024

// leaks describes what exists now and did not exist before.
func leaks(before []inventory, counted map[string]int) (list []string) {
	for i, now := range takeAll() {
		for _, id := range slices.Sorted(maps.Keys(now)) {
			if _, was := before[i][id]; !was {
				list = append(list, kinds[i].name+": "+now[id])
			}
		}
	}
	counts := countAll()
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] != counted[name] {
			list = append(list, fmt.Sprintf("%s: %d in use, %d before the tests", name, counts[name], counted[name]))
		}
	}
	return list
}

func report(w io.Writer, before []inventory, counted map[string]int) {
	fmt.Fprintf(w, "testmain: the tests passed but left behind, after %v:\n", settleMax)
	for _, line := range leaks(before, counted) {
		fmt.Fprintln(w, "  "+line)
	}
	for _, stack := range cleaners() {
		fmt.Fprintln(w, "held up, and with it what else has a cleanup: "+stack)
	}
}
