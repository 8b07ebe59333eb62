//go:build linux

package sim

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
)

// Failure is how a world failed.
type Failure struct {
	Seed   uint64
	At     time.Duration // since the world began
	Text   string
	Faults []Fault // without any of which it does not fail
}

// Run plays a script in the world of a seed, lets its programs end as Program.Drain has them, and fails the test if
// anything did. Then it says the seed, the fewest faults with which it still fails, and the command that plays it
// again, and writes a page that shows what happened.
func Run(t testing.TB, seed uint64, script func(w *World)) {
	t.Helper()
	o := &options{seed: seed}
	if !fromEnvironment(t, o) {
		return
	}
	if r := play(o, script); r.failure != nil {
		report(t, r, script)
	}
}

// Explore plays a script in the worlds of the seeds 1 to n, on all processors, and reports the first that fails as Run
// does. RINGO_SIM_SEED in the environment has it play that one alone.
func Explore(t testing.TB, n int, script func(w *World)) {
	t.Helper()
	if os.Getenv(seedVariable) != "" {
		Run(t, 0, script)
		return
	}
	var next atomic.Uint64
	var mu sync.Mutex
	var first *outcome
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for seed := next.Add(1); seed <= uint64(n); seed = next.Add(1) {
				r := play(&options{seed: seed}, script)
				if r.failure == nil {
					continue
				}
				mu.Lock()
				if first == nil || r.failure.Seed < first.failure.Seed {
					first = r
				}
				mu.Unlock()
				next.Store(uint64(n)) // those before it are under way
			}
		})
	}
	all.Wait()
	if first != nil {
		report(t, first, script)
	}
}

// Fuzz has Go's fuzzer choose the seed, and the first chances of the world.
func Fuzz(f *testing.F, script func(w *World)) {
	f.Add(uint64(1), []byte{})
	f.Fuzz(func(t *testing.T, seed uint64, tape []byte) {
		if r := play(&options{seed: seed, tape: tape}, script); r.failure != nil {
			t.Errorf("%s", r.text())
		}
	})
}

const (
	seedVariable   = "RINGO_SIM_SEED"
	faultsVariable = "RINGO_SIM_FAULTS"
	traceVariable  = "RINGO_SIM_TRACE"
)

// options are what a world is played with.
type options struct {
	seed  uint64
	tape  []byte
	only  map[FaultID]bool
	trace io.Writer
}

// fromEnvironment has the environment override options.
func fromEnvironment(t testing.TB, o *options) (ok bool) {
	if text := os.Getenv(seedVariable); text != "" {
		seed, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			t.Errorf("sim: %s=%s: want a number", seedVariable, text)
			return false
		}
		o.seed = seed
	}
	if text, set := os.LookupEnv(faultsVariable); set {
		o.only = map[FaultID]bool{}
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' }) {
			var id FaultID
			if _, err := fmt.Sscanf(word, "%d.%d.%d", &id.Kind, &id.Host, &id.N); err != nil {
				t.Errorf("sim: %s: %q is no fault", faultsVariable, word)
				return false
			}
			o.only[id] = true
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

// outcome is what became of a world.
type outcome struct {
	failure *Failure
	only    map[FaultID]bool
	world   *World
}

// drainMost is how long programs may take to end when the script has ended.
const drainMost = time.Hour

// play has a world happen.
func play(o *options, script func(w *World)) *outcome {
	w := newWorld(o)
	defer w.end()
	w.plays(script)
	w.watch.takeIn() // what the script has done last, or a goroutine since
	if w.failure != nil {
		w.failure.Faults = w.faults.came
	}
	return &outcome{w.failure, o.only, w}
}

func (w *World) plays(script func(w *World)) {
	defer func() {
		if v := recover(); v != nil && v != any(scriptEnds) {
			panic(v)
		}
	}()
	script(w)
	w.drain()
}

// drain ends the programs that run.
func (w *World) drain() {
	running := func() (n int) {
		for _, p := range w.programs {
			if !p.Ended() {
				n++
			}
		}
		return n
	}
	for _, p := range w.programs {
		p.Drain()
	}
	if running() > 0 {
		w.step(w.w.Now()+int64(drainMost), func() bool { return running() == 0 })
	}
	if w.stopped || running() == 0 {
		return
	}
	var b strings.Builder
	for _, p := range w.programs {
		if !p.Ended() {
			fmt.Fprintf(&b, "\n%s: %s", p.host.name, p.p.Unended())
		}
	}
	w.fail(fmt.Sprintf("programs have not ended %v after the script's end, though they were told to:%s", drainMost,
		b.String()))
}

// report fails a test.
func report(t testing.TB, r *outcome, script func(w *World)) {
	t.Helper()
	tries := 0
	if r.only == nil {
		r, tries = shrink(r, script)
	}
	text := r.text()
	if tries > 0 {
		text += fmt.Sprintf("\n(%d worlds were played to find the fewest faults)", tries)
	}
	text += fmt.Sprintf("\nto play it again: %s go test -run '^%s$'", r.variables(),
		strings.ReplaceAll(t.Name(), "/", "$/^"))
	if page, err := r.page(t.Name()); err != nil {
		text += fmt.Sprintf("\nno page of it: %v", err)
	} else {
		text += "\nwhat happened: " + page
	}
	t.Errorf("%s", text)
}

// text is the failure, for people.
func (r *outcome) text() string {
	w := r.world
	var b strings.Builder
	fmt.Fprintf(&b, "sim: seed %d, after %v: %s", r.failure.Seed, r.failure.At, r.failure.Text)
	fmt.Fprintf(&b, "\n%d faults came before:", len(r.failure.Faults))
	for i, f := range r.failure.Faults {
		if i == faultsShown {
			fmt.Fprintf(&b, "\n  and %d more", len(r.failure.Faults)-i)
			break
		}
		b.WriteString("\n  " + w.describe(f))
	}
	for _, line := range w.logs[max(0, len(w.logs)-logsShown):] {
		b.WriteString("\n  log: " + line)
	}
	return b.String()
}

const (
	faultsShown = 40
	logsShown   = 40
)

// variables are those of the environment that play the world again.
func (r *outcome) variables() string {
	text := fmt.Sprintf("%s=%d", seedVariable, r.failure.Seed)
	if len(r.failure.Faults) > faultsShown {
		return text
	}
	var ids []string
	for _, f := range r.failure.Faults {
		ids = append(ids, fmt.Sprintf("%d.%d.%d", f.Kind, f.Host, f.N))
	}
	return fmt.Sprintf("%s %s=%s", text, faultsVariable, strings.Join(ids, ","))
}

// The bounds of shrinking.
const (
	shrinkTries = 300
	shrinkTime  = 20 * time.Second
)

// shrink finds fewer faults with which the world still fails: it leaves out half of them, a quarter, and so on to
// single ones, again and again while that finds any.
func shrink(r *outcome, script func(w *World)) (least *outcome, tries int) {
	least = r
	end := time.Now().Add(shrinkTime)
	try := func(faults []Fault) bool {
		tries++
		only := map[FaultID]bool{}
		for _, f := range faults {
			only[f.FaultID] = true
		}
		next := play(&options{seed: r.failure.Seed, only: only}, script)
		if next.failure == nil || next.failure.sort() != r.failure.sort() {
			return false
		}
		least = next
		return true
	}
	piece, found := (len(least.failure.Faults)+1)/2, false
	for at := 0; piece > 0; {
		if tries >= shrinkTries || time.Now().After(end) {
			break
		}
		all := least.failure.Faults
		switch {
		case at < len(all):
			if rest := slices.Concat(all[:at], all[min(at+piece, len(all)):]); try(rest) {
				found = true
			} else {
				at += piece
			}
		case piece == 1 && found: // one that had to stay may go, now that others have
			at, found = 0, false
		default:
			at, found, piece = 0, false, piece/2
		}
	}
	return least, tries
}

// sort is what a failure has in common with the same one at another time and place: the words of its first line,
// without numbers.
func (f *Failure) sort() string {
	line, _, _ := strings.Cut(f.Text, "\n")
	return strings.Map(func(c rune) rune {
		if unicode.IsDigit(c) {
			return -1
		}
		return c
	}, line)
}

// page writes the picture of the world to a file.
func (r *outcome) page(test string) (path string, err error) {
	name := strings.Map(func(c rune) rune {
		if c == '/' || c == os.PathSeparator {
			return '-'
		}
		return c
	}, test)
	f, err := os.Create(filepath.Join(os.TempDir(), fmt.Sprintf("sim-%s-%d.html", name, r.failure.Seed)))
	if err != nil {
		return "", err
	}
	defer f.Close()
	return f.Name(), r.world.WritePage(f)
}
