package drivertest

import (
	"hash/fnv"
	"os"
	"strconv"
	"testing"

	"ringo/internal/sim/world"
)

// seedVariable is that of the environment by which package sim has a world played again.
const seedVariable = "RINGO_SIM_SEED"

// NewWorld makes a world for a test, of the seed that the environment names or else of one that is the test's for good.
// A test that fails tells it.
func NewWorld(t testing.TB) *world.World {
	t.Helper()
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	seed := h.Sum64()
	if text := os.Getenv(seedVariable); text != "" {
		n, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			t.Fatalf("%s=%s: want a number", seedVariable, text)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("in a world of the seed %d; to play it again: %s=%[1]d", seed, seedVariable)
		}
	})
	return world.New(seed)
}
