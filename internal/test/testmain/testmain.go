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

	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// settleMax is how long what goes away by itself may take to do so. A variable
// for this package's own tests, which leak on purpose.
var settleMax = 15 * time.Second

// An inventory is what exists of one kind, by an identity that is not reused at
// once, with the text that describes it in a report.
type inventory map[string]string

// A kind is one sort of thing that can leak.
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

// Register adds a counter of things in use, such as slots or buffers. It must be
// back where it was before the tests, or at zero if it was registered by a test,
// when they have ended. Any goroutine may call it and inUse may be called from any;
// the same name again replaces the counter.
func Register(name string, inUse func() int) {
	counters.Lock()
	defer counters.Unlock()
	if counters.inUse == nil {
		counters.inUse = make(map[string]func() int)
	}
	counters.inUse[name] = inUse
}

// Drivers are those that go test plays: the one that RINGO_DRIVER forces, or else uring, where a completion tells, and
// epoll, where readiness does. What differs between the others of that sort is their poller, of which the contract of
// drivers is tested always; .ci/matrix plays the rest over each of them.
func Drivers() []string {
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" && forced != "auto" {
		return []string{forced}
	}
	if !sys.HaveEpoll {
		return []string{"poll", "select"}
	}
	return []string{"uring", "epoll"}
}

// EachDriver runs f for the first of Drivers that is usable here, which is what auto would take, and with -long for all
// of them. The contract of drivers is tested of each in any case, and .ci/matrix plays what is above it over each.
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

// crowd is what a Run says of a machine with fewer processors than it has loops.
var crowd = regexp.MustCompile(`(?m)^ringo: \d+ loops run, and the process may use .*\n`)

// Uncrowded is what a program has said, but for what it says of a machine with fewer processors than it has loops: how
// many there are is none of a test's business.
func Uncrowded(said string) string { return crowd.ReplaceAllString(said, "") }

var long = flag.Bool("long", false, "take what go test leaves to the scripts of .ci")

// Long reports whether -long was given: a test that takes longer than a second of a processor runs, or plays more, with
// it alone. .ci/long is who gives it.
func Long() bool { return *long }

// NeedLong skips a test without -long, for a reason: what it takes, and what looks at the same without it.
func NeedLong(t testing.TB, why string) {
	t.Helper()
	if !*long {
		t.Skip("needs -long: ", why)
	}
}

// Main runs the tests of m and exits: with their code if they failed, with 1 and
// a list on stderr if they passed and left something behind, else with 0. It is
// called by TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has something to do afterwards: it returns the
// code to exit with.
func Run(m *testing.M) int {
	overlapWaits()
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

// overlapWaits has more tests run at once that call Parallel than there are processors: they do because they mostly
// wait, as for a kernel's timer. What counts or computes has the process to itself. The command line has the last word.
func overlapWaits() {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic("testmain: " + err.Error())
	}
}

// startPoller makes Go's network poller exist, which keeps two descriptors for
// the rest of the process's life, so that they are in the inventory before.
func startPoller() {
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testmain: pipe:", err)
		os.Exit(1)
	}
	r.Close()
	w.Close()
}

// DescriptorsKept notes which descriptors are open. What it returns fails the test, and says which they are, if others
// are open that stay so: threads beside the test open some and close them, so one look says nothing. It pauses between
// two looks, as patience.UntilBy does.
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

// settle waits until nothing is left that was not there before, and reports
// false if that doesn't happen in time.
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

// reviveProcs brings back processors that Go once had. A cleanup that a sweep put into the queue of one that went
// before the sweep had ended, because GOMAXPROCS was lowered, does not run until then (Go 1.24 to 1.26: (*p).destroy).
func reviveProcs() { runtime.GOMAXPROCS(min(2*runtime.GOMAXPROCS(0), procsMost)) }

// procsMost is more than tests ever have.
const procsMost = 1024

// leaks describes what is there now and was not before.
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
