package loop

import (
	"testing"
	"time"
)

// The loops of a stage go through the scheduler by the number of their turns, whatever its clock says.
func TestStagedYield(t *testing.T) {
	yields := 0
	defer func(f func()) { gosched = f }(gosched)
	gosched = func() { yields++ }
	cfg := &Config{Stage: &Stage{}}
	a, b := &Loop{cfg: cfg}, &Loop{cfg: cfg}
	for range 3 * stagedYield / 2 {
		a.clock.now, b.clock.now = a.clock.now+int64(time.Hour), b.clock.now+1
		a.schedYield()
		b.schedYield()
	}
	if yields != 3 {
		t.Errorf("%d yields in %d turns, want 3", yields, 3*stagedYield)
	}
}
