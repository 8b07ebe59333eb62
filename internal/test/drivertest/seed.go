package drivertest

import (
	"hash/fnv"
	"os"
	"strconv"
	"testing"

	"ringo/internal/sim/world"
)

// seedVariable is the environment variable by which package sim replays a world.
const seedVariable = "RINGO_SIM_SEED"

// NewWorld makes a world for a test. Its seed is the one in the environment, or else one derived from the test's name.
// If the test fails, its log has the seed.
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
