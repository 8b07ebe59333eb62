// Package plan determines the order in which a run measures.
package plan

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// Cell is a load and the servers that take turns under it.
type Cell struct {
	Name    string
	Servers []string
	Rounds  int // rounds that it takes part in at most; 0: all
}

// Step is one measurement.
type Step struct {
	Round  int // from 1
	Cell   string
	Server string
}

// Steps returns the measurements, round after round. In a round each cell has its turn, and in it each of its servers:
// in the first round in the given order, then each time with another server first and the others shuffled, so that
// none always follows the same one. The same arguments give the same steps.
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
