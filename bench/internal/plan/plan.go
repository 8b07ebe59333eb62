// Package plan is the order in which a run measures, and how long it has to go.
package plan

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// Cell is a load and the servers that take turns under it.
type Cell struct {
	Name    string
	Servers []string
	Rounds  int // that it takes part in at most; 0: all
}

// Step is one measurement.
type Step struct {
	Round  int // from 1
	Cell   string
	Server string
}

// Steps is the rounds one after the other. In a round each cell has its turn, and in it each of its servers: in the
// first as they are given, then another one first each time and the others in an order drawn anew, so that none always
// follows the same one. Two calls give the same steps.
func Steps(cells []Cell, rounds int) []Step {
	var all []Step
	for round := 1; round <= rounds; round++ {
		for _, c := range cells {
			if c.Rounds > 0 && round > c.Rounds {
				continue
			}
			for _, server := range order(c, round) {
				all = append(all, Step{round, c.Name, server})
			}
		}
	}
	return all
}

func order(c Cell, round int) []string {
	servers := slices.Clone(c.Servers)
	if round == 1 || len(servers) < 2 {
		return servers
	}
	first := (round - 1) % len(servers)
	servers[0], servers[first] = servers[first], servers[0]
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	rest := servers[1:]
	rand.New(rand.NewPCG(uint64(round), h.Sum64())).Shuffle(len(rest), func(i, j int) {
		rest[i], rest[j] = rest[j], rest[i]
	})
	return servers
}

// Clock learns how long steps take.
type Clock struct {
	guess time.Duration
	all   took
	cells map[string]*took
}

type took struct {
	sum time.Duration
	n   int
}

// NewClock takes what a step is expected to take before there was one.
func NewClock(guess time.Duration) *Clock { return &Clock{guess: guess, cells: map[string]*took{}} }

// Took tells of a step that was made.
func (c *Clock) Took(s Step, d time.Duration) {
	t := c.cells[s.Cell]
	if t == nil {
		t = new(took)
		c.cells[s.Cell] = t
	}
	for _, t := range []*took{t, &c.all} {
		t.sum += d
		t.n++
	}
}

// Left is how long the steps will take: as long as those of the same cell so far, or as all so far.
func (c *Clock) Left(steps []Step) (d time.Duration) {
	for _, s := range steps {
		switch t := c.cells[s.Cell]; {
		case t != nil:
			d += t.mean()
		case c.all.n > 0:
			d += c.all.mean()
		default:
			d += c.guess
		}
	}
	return d
}

func (t *took) mean() time.Duration { return t.sum / time.Duration(t.n) }
