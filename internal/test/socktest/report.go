//go:build linux

package socktest

import (
	"fmt"

	"ringo"
)

// report is what was wrong in a cell.
type report struct{ faults []error }

func (r *report) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

// must notes an error that has no place in any cell.
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

// inTime has somebody run f, who may use what belongs to a loop and is no caller of the cell's; that must end.
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
