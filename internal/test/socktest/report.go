//go:build linux

package socktest

import (
	"fmt"

	"ringo"
)

// report collects what was wrong in a cell.
type report struct{ faults []error }

func (r *report) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

// must records an error that no cell should have.
func (r *report) must(what string, err error) {
	if err != nil {
		r.fault("%s: %w", what, err)
	}
}

// trial is what cells of sockets and of files have in common.
type trial struct {
	*runs
	who *caller
	report
}

// inTime runs f beside the cell and records its error, or a fault if f does not end in time. f may use what belongs to
// loop l and counts as none of the cell's callers.
func (x *trial) inTime(l *ringo.Loop, what string, f func() error) {
	done := x.latch()
	var err error
	x.begin(l, func() { defer done.open(); err = f() })
	if hung := within(what, done); hung != nil {
		x.faults = append(x.faults, hung)
		return
	}
	x.must(what, err)
}
