package sim

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Failure describes how a world failed.
type Failure struct {
	Seed   uint64
	At     time.Duration // since the world began
	Text   string
	Faults []Fault // the faults that are needed for the failure
}

// Run runs a script in the world of a seed, ends its programs as Program.Drain does, and fails the test if anything
// failed. Then it reports the seed, the fewest faults with which it still fails, and the command that runs it again,
// and writes a page that shows what happened.
//
// If the script or a task calls t.Fatal, its world fails, with the seed, and the test ends. Messages of World.Errorf
// are reported with the seed, those of t.Errorf are not.
func Run(t testing.TB, seed uint64, script func(w *World)) {
	t.Helper()
	wantFunc(script != nil, "Run")
	o := optionsOf(t)
	if o.seed = seed; fromEnvironment(o) {
		conclude(o.t, play(o, script), script)
	}
}

// Explore runs a script in the worlds of n seeds, from 1 on, on all CPUs, and reports the first that fails as Run does.
// In the environment RINGO_SIM_FIRST sets another first seed, so that a long exploration can be done in parts, and
// RINGO_SIM_SEED runs a single seed. An n below 1, with which no script would run, panics.
func Explore(t testing.TB, n int, script func(w *World)) {
	t.Helper()
	wantFunc(script != nil, "Explore")
	if n < 1 {
		panic(fmt.Sprintf("sim: Explore: %d worlds", n))
	}
	if os.Getenv(seedVariable) != "" {
		Run(t, 0, script)
		return
	}
	first, ok := number(t, firstVariable, 1)
	if !ok || !ofNoSeed(t) {
		return
	}
	e := &exploration{t: t, first: first, n: uint64(n), before: t.Failed()}
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() { e.explore(script) })
	}
	all.Wait()
	switch {
	case e.found != nil:
		conclude(optionsOf(t).t, e.found, script)
	case len(e.suspects) > 0:
		slices.Sort(e.suspects)
		t.Errorf("sim: the test has failed, but not by World.Errorf, in the world of one of these seeds: %v\n"+
			"to run one again: %s=%d %s", e.suspects, seedVariable, e.suspects[0], command(t.Name()))
	}
}

// exploration is the state that the explorers share.
type exploration struct {
	t      testing.TB
	first  uint64
	n      uint64
	before bool // the test had failed before it

	mu       sync.Mutex
	begun    uint64
	found    *outcome // the failure with the lowest seed
	suspects []uint64 // seeds of worlds, one of which may have failed the test without reporting it
}

// explore plays worlds until all are played, or one has failed.
func (e *exploration) explore(script func(w *World)) {
	for {
		e.mu.Lock()
		i := e.begun
		e.begun++
		e.mu.Unlock()
		if i >= e.n {
			return
		}
		o := optionsOf(e.t)
		o.seed, o.many = e.first+i, true
		r := play(o, script)
		suspect := !e.before && e.t.Failed()
		if r.failure == nil && !r.skips && !suspect {
			continue
		}
		e.mu.Lock()
		e.begun = e.n // those before it are under way
		switch {
		case r.failure == nil && !r.skips:
			e.suspects = append(e.suspects, e.first+i)
		case e.found == nil || r.world.seed < e.found.world.seed:
			e.found = r
		}
		e.mu.Unlock()
	}
}

const (
	seedVariable   = "RINGO_SIM_SEED"
	firstVariable  = "RINGO_SIM_FIRST"
	faultsVariable = "RINGO_SIM_FAULTS"
	traceVariable  = "RINGO_SIM_TRACE"
	tapeVariable   = "RINGO_SIM_TAPE"
)

// ofNoSeed refuses environment variables that are about one world, if none says which.
func ofNoSeed(t testing.TB) (ok bool) {
	for _, v := range []string{faultsVariable, traceVariable, tapeVariable} {
		if _, set := os.LookupEnv(v); set {
			t.Errorf("sim: %s applies to one world: set %s too", v, seedVariable)
			return false
		}
	}
	return true
}

// options says how to play a world.
type options struct {
	t     testing.TB
	many  bool // other worlds of the test are played at the same time
	input bool // it is an input of Go's fuzzer
	looks bool // the fuzzer is looking for new inputs
	seed  uint64
	tape  []byte
	only  map[FaultID]bool
	trace io.Writer
	// bubble is the test in whose bubble the world is played, see Goroutines; nil if it is played in none.
	bubble *testing.T
}

func optionsOf(t testing.TB) *options {
	if with, ok := t.(*withGoroutines); ok {
		return &options{t: with.TB, bubble: with.bubble}
	}
	return &options{t: t}
}

// fromEnvironment lets the environment override options.
func fromEnvironment(o *options) (ok bool) {
	t := o.t
	if o.seed, ok = number(t, seedVariable, o.seed); !ok {
		return false
	}
	if text, set := os.LookupEnv(faultsVariable); set {
		o.only = map[FaultID]bool{}
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' }) {
			var id FaultID
			if _, err := fmt.Sscanf(word, "%d.%d.%d", &id.Kind, &id.Host, &id.N); err != nil {
				t.Errorf("sim: %s: %q is not a fault", faultsVariable, word)
				return false
			}
			o.only[id] = true
		}
	}
	if text, set := os.LookupEnv(tapeVariable); set {
		var err error
		if o.tape, err = hex.DecodeString(text); err != nil {
			t.Errorf("sim: %s: %v", tapeVariable, err)
			return false
		}
	}
	if name := os.Getenv(traceVariable); name != "" {
		f, err := os.Create(name)
		if err != nil {
			t.Errorf("sim: %s: %v", traceVariable, err)
			return false
		}
		t.Cleanup(func() { f.Close() })
		o.trace = f
	}
	return true
}

// number returns the value of an environment variable, or unset if it is not set.
func number(t testing.TB, variable string, unset uint64) (n uint64, ok bool) {
	text := os.Getenv(variable)
	if text == "" {
		return unset, true
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		t.Errorf("sim: %s=%s: want a number", variable, text)
	}
	return n, err == nil
}
