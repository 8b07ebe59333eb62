package race_test

import (
	"testing"

	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// The calls stand in hot paths of ordinary builds too.
func TestNoAllocs(t *testing.T) {
	p := make([]byte, 64)
	got := alloctest.Least(100, 0.1, func() {
		race.ReadRange(p)
		race.WriteLike()
		race.ReadLike()
		race.WriteRange(p)
		race.ReadRange(nil)
		race.WriteRange(nil)
	})
	if got > 0.1 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func BenchmarkEdges(b *testing.B) {
	for b.Loop() {
		race.WriteLike()
		race.ReadLike()
	}
}
