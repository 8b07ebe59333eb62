//go:build linux

package socktest

import (
	"fmt"
	"hash/fnv"
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

// Storm is worlds in which all comes late and in parts: sends and reads and writes of files get less done than they
// could, segments come in pieces or get lost, disks and hosts stand still. Nothing of that is an error, so what passes
// without passes in it.
type Storm struct {
	Seed uint64
	Part uint64 // of so many cells one is played

	came atomic.Int64 // faults
}

// over looks whether there was one.
func (s *Storm) over(t *testing.T) {
	n := s.came.Load()
	if t.Logf("%d faults", n); n == 0 && !t.Failed() {
		t.Error("no fault has come")
	}
}

// RunStorm is RunWorlds in a storm, in which each cell is another world.
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

// stormsEnv says in how many storms each test of a behaviour is run; one if it does not.
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

// calm are the tests of behaviours that hold where calls do all they are asked for, as those of the system's files do.
var calm = []string{
	"TestAppendsTogether", // others come between the parts of an append
}

// stormsOf is in how many storms a test of a behaviour is run.
func stormsOf(t *testing.T) uint64 {
	name, _, _ := strings.Cut(t.Name(), "/")
	if slices.Contains(calm, name) {
		return 0
	}
	return storms()
}

// seeds are those of a cell's worlds.
func (m *matrix) seeds(t *testing.T) (all []uint64) {
	if m.storm != nil {
		h := fnv.New64a()
		h.Write([]byte(t.Name()))
		if n := h.Sum64() ^ m.storm.Seed*0x9e3779b97f4a7c15; n>>32%m.storm.Part == 0 {
			return []uint64{n}
		}
		return nil
	}
	for seed := uint64(1); seed <= m.worlds; seed++ {
		all = append(all, seed)
	}
	return all
}

// storm begins one. Datagrams are not lost, and don't overtake each other: programs have to expect both, and cells
// don't.
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
