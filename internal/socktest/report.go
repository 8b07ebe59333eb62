//go:build linux

package socktest

import "fmt"

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

// inTime runs f on a goroutine, which must end.
func (r *report) inTime(what string, f func() error) {
	done := make(chan struct{})
	var err error
	go func() { defer close(done); err = f() }()
	if hung := within(what, done); hung != nil {
		r.faults = append(r.faults, hung)
		return
	}
	r.must(what, err)
}
