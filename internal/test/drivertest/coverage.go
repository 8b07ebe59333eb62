package drivertest

import (
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// coverage records what the cases of a run did with the rows of the op table. The run fails for a row that no case
// brings to a result, and for a row that waits and is never cancelled, so that a new row needs cases.
type coverage struct {
	done, canceled [op.Codes]bool
	cases, skipped int
	excused        int
}

// result records how an op ended.
func (c *coverage) result(code op.Code, res int32, canceled bool) {
	switch {
	case res >= 0, code == op.Timeout && res == -sys.ETIME:
		c.done[code] = true
	case canceled:
		c.canceled[code] = true
	}
}

// check judges a run of all cases. A run of some cases, or with skipped ones, proves nothing.
func (c *coverage) check(t *testing.T) {
	all := 0
	for _, g := range groups {
		all += len(g.cases)
	}
	if c.cases+c.excused < all || c.skipped > 0 {
		t.Skipf("%d of %d cases were run, %d of them skipped: what rows they leave out proves nothing",
			c.cases, all, c.skipped)
	}
	for code := range op.Codes {
		d := &op.Table[code]
		if !c.done[code] {
			t.Errorf("no case brings a %s to a result", d.Name)
		}
		if d.Kind != op.Immediate && !c.canceled[code] {
			t.Errorf("no case cancels a %s", d.Name)
		}
	}
}
