//go:build linux

package differ_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/hosted"
	"ringo/internal/test/differ"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

var (
	programs = flag.Uint64("programs", 50, "how many random `programs` TestPrograms runs")
	firstOf  = flag.Uint64("seed", 0, "the seed of the first")
	drivers  = flag.String("drivers", "", "the `drivers` to compare with package net, with commas between them")
	workers  = flag.Int("workers", 3, "how many programs run at a time")
	shrink   = flag.Duration("shrink", time.Minute, "how long a failure is shrunk")
)

// failuresMax is how many failures end TestPrograms.
const failuresMax = 3

func TestMain(m *testing.M) {
	hosted.Shared() // they stay, so they are there before the tests
	differ.Reserve()
	syscall.Umask(0o022) // as that of worlds
	testmain.Main(m)
}

// inWorlds is who may make calls in a simulated world.
var inWorlds = []differ.Kind{differ.Task, differ.Iterator, differ.Callback}

// newBench has package net and the drivers that there are, for callers of the kinds that are allowed.
func newBench(t testing.TB, names string, allowed []differ.Kind) *differ.Bench {
	b := &differ.Bench{Machines: []differ.Machine{differ.Net{}}, Allowed: allowed, Patience: patience.Max,
		Target: "FuzzPrograms"}
	if len(allowed) == len(inWorlds) {
		b.Target = "FuzzWorldPrograms"
	}
	if *drivers != "" {
		names = *drivers
	}
	if forced := os.Getenv("RINGO_DRIVER"); forced != "" {
		for _, name := range strings.Split(names, ",") {
			if strings.HasPrefix(name, "sim") { // which no driver is in the place of
				forced += "," + name
			}
		}
		names = forced
	}
	for _, name := range strings.Split(names, ",") {
		driver, temper, _ := strings.Cut(name, "/")
		cfg := ringo.Config{Driver: driver}
		if temper == "small" { // where everything is scarce
			cfg.Buffers, cfg.BufferSize, cfg.Leases, cfg.Budget, cfg.Entries = 4, 300, 2, 2, 4
		}
		if driver == "sim" {
			b.Machines = append(b.Machines, differ.Sim{Label: name, Config: cfg, Rough: temper == "rough"})
			continue
		}
		if err := socktest.Available(driver); err != nil {
			t.Log(err)
			continue
		}
		b.Machines = append(b.Machines, differ.Ringo{Label: name, Config: cfg})
	}
	t.Cleanup(func() {
		for _, err := range b.Close() {
			t.Error(err)
		}
		runtime.GC()
	})
	return b
}

// try runs a program, and shrinks it if it fails.
func try(t testing.TB, b *differ.Bench, p differ.Program) bool {
	t.Helper()
	what := b.Try(p)
	if what == "" {
		return true
	}
	first := what
	fmt.Fprintf(os.Stderr, "before it is shrunk: %s\n", b.Report(p, what)) // who ends the test meanwhile has this
	defer func(patience time.Duration) { b.Patience = patience }(b.Patience)
	for _, tries := range []int{1, 20} {
		b.Patience = 3 * time.Second
		if q := b.Shrink(p, tries, time.Now().Add(*shrink)); len(q) < len(p) {
			p = q
			break
		}
	}
	for range 20 {
		if again := b.Try(p); again != "" {
			what = again
			break
		}
	}
	t.Errorf("at first: %s\nshrunk: %s", first, b.Report(p, what))
	return false
}

// TestPrograms runs random programs on package net and on each driver, several at a time.
func TestPrograms(t *testing.T) {
	tryRandom(t, "uring,epoll,uring-poll,poll,select,uring/small,epoll/small", differ.Allowed)
}

// TestWorldPrograms runs programs of tasks, iterators and callbacks, which there are in simulated worlds as well.
func TestWorldPrograms(t *testing.T) { tryRandom(t, worldDrivers, inWorlds) }

const worldDrivers = "uring,epoll,sim,sim/small,sim/rough"

func tryRandom(t *testing.T, names string, allowed []differ.Kind) {
	began := time.Now()
	var next, failed atomic.Uint64
	var all sync.WaitGroup
	for range *workers {
		b := newBench(t, names, allowed)
		all.Go(func() {
			for failed.Load() < failuresMax {
				n := next.Add(1) - 1
				if n >= *programs {
					return
				}
				if n > 0 && n%10_000 == 0 {
					t.Logf("%d programs in %v", n, time.Since(began))
				}
				if !try(t, b, differ.Random(*firstOf+n)) {
					failed.Add(1)
					t.Errorf("seed %d", *firstOf+n)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d programs in %v", min(next.Load(), *programs), time.Since(began))
}

// FuzzPrograms looks for a program on which io_uring and epoll differ from package net.
func FuzzPrograms(f *testing.F) {
	b := newBench(f, "uring,epoll", differ.Allowed)
	f.Fuzz(func(t *testing.T, p []byte) { try(t, b, p) })
}

// FuzzWorldPrograms looks for one on which a simulated world does.
func FuzzWorldPrograms(f *testing.F) {
	b := newBench(f, "sim,sim/small,sim/rough", inWorlds)
	f.Fuzz(func(t *testing.T, p []byte) { try(t, b, p) })
}

// What may differ stands in the documentation as it does in the package.
func TestExceptionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range differ.Exceptions {
		if line := fmt.Sprintf("| %s | %s | %s |", e.What, e.Why, e.Programs); !strings.Contains(string(text), line) {
			t.Errorf("docs/testing.md lacks the line\n%s", line)
		}
	}
}

// A plan is the same each time, and uses the callers that are allowed and no others.
func TestPlans(t *testing.T) {
	for seed := range uint64(500) {
		p := differ.Random(seed)
		if a, b := differ.MakePlan(p, differ.Allowed).String(), differ.MakePlan(p, differ.Allowed).String(); a != b {
			t.Fatalf("seed %d makes two plans:\n%s\n%s", seed, a, b)
		}
		for _, c := range differ.MakePlan(p, inWorlds).Callers {
			if c.Kind == differ.Goroutine || c.Kind == differ.Offload {
				t.Fatalf("seed %d: a %v, which is not allowed", seed, c.Kind)
			}
		}
	}
}

func BenchmarkMachines(b *testing.B) {
	for _, m := range []differ.Machine{differ.Net{}, differ.Ringo{Config: ringo.Config{Driver: "uring"}},
		differ.Ringo{Config: ringo.Config{Driver: "epoll"}}} {
		b.Run(m.Name(), func(b *testing.B) {
			bench := &differ.Bench{Machines: []differ.Machine{m}, Allowed: differ.Allowed, Patience: patience.Max}
			defer bench.Close()
			for i := range b.N {
				if what := bench.Try(differ.Random(uint64(i))); what != "" {
					b.Fatal(what)
				}
			}
		})
	}
}
