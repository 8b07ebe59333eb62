//go:build linux

package socktest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo/sim"
)

// Storm describes worlds in which everything comes late and in parts: sends, and reads and writes of files, do less
// than they could; segments arrive in pieces or get lost; disks and hosts stand still. None of that is an error, so
// what passes without a storm has to pass in it.
type Storm struct {
	Seed uint64
	Part uint64 // one cell in so many runs

	came atomic.Int64 // how many faults there were
}

// seed returns the seed of a cell's world.
func (s *Storm) seed(cell string) uint64 { return hash(cell) ^ s.Seed*0x9e3779b97f4a7c15 }

// over fails the test if there was no fault.
func (s *Storm) over(t *testing.T) {
	n := s.came.Load()
	if t.Logf("%d faults", n); n == 0 && !t.Failed() {
		t.Error("no fault has come")
	}
}

// RunStorm is RunWorlds in a storm, with a different seed for each cell.
func RunStorm(t *testing.T, s *Storm) {
	runWorlds(t, matrix{worlds: 1, storm: s})
	runWorlds(t, matrix{worlds: 1, storm: s, beside: true})
	s.over(t)
}

// RunFilesInStorm is RunFilesInWorlds in a storm.
func RunFilesInStorm(t *testing.T, s *Storm) {
	runFiles(t, func() *matrix { return &matrix{worlds: 1, storm: s} })
	s.over(t)
}

// stormsEnv sets how many storms each behaviour test runs in; the default is one.
const stormsEnv = "RINGO_TEST_STORMS"

var storms = sync.OnceValue(func() uint64 {
	text := os.Getenv(stormsEnv)
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		panic(fmt.Sprintf("%s=%s: %v", stormsEnv, text, err))
	}
	return n
})

// calm are behaviour tests that need calls which do all that they are asked for, as calls on the system's files do.
var calm = []string{
	"TestAppendsTogether", // other appends come between the parts of one
}

// stormsOf returns how many storms a behaviour test runs in.
func stormsOf(t *testing.T) uint64 {
	name, _, _ := strings.Cut(t.Name(), "/")
	if slices.Contains(calm, name) {
		return 0
	}
	return storms()
}

// seeds returns the seeds of a cell's worlds.
func (m *matrix) seeds(t *testing.T) (all []uint64) {
	if m.storm != nil {
		return []uint64{m.storm.seed(t.Name())}
	}
	for seed := uint64(1); seed <= m.worlds; seed++ {
		all = append(all, seed)
	}
	return all
}

// storm starts a storm. Datagrams don't get lost and don't overtake each other: programs have to expect both, but the
// cells do not.
func (s *simulated) storm(packets bool) {
	w, rand := s.w, s.w.Rand()
	upTo := func(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d))) }
	w.Link = sim.Link{Latency: upTo(time.Millisecond), Split: 0.5}
	if !packets {
		w.Link.Jitter, w.Link.Loss = upTo(2*time.Millisecond), 0.03
	}
	for _, h := range w.Hosts() {
		h.Calls.ShortSend = 0.5
		h.Disk = sim.Disk{Latency: upTo(time.Millisecond), Jitter: upTo(5 * time.Millisecond),
			Sync: upTo(5 * time.Millisecond), Short: 0.5}
		h.Lends = rand.IntN(2) == 0
	}
	w.Storm(time.Hour, sim.Storm{Pause: 20 * time.Millisecond, Still: upTo(5*time.Millisecond) + 1})
}
