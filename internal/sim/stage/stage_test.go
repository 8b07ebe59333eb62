package stage

import "testing"

// The loops of a stage go through the scheduler by the number of their turns, whatever its clock says.
func TestSchedYield(t *testing.T) {
	yields := 0
	defer func(f func()) { gosched = f }(gosched)
	gosched = func() { yields++ }
	s := &Stage{}
	for range 3 * yieldEvery {
		s.SchedYield(nil)
	}
	if yields != 3 {
		t.Errorf("%d yields in %d turns, want 3", yields, 3*yieldEvery)
	}
}
