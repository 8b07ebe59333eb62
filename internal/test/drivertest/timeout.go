package drivertest

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/sys"
)

// Ops that end by the clock.
var timeoutCases = []testCase{
	{name: "never early", run: timeoutNeverEarly},
	{name: "of nothing", run: func(h *harness) { h.timeout(0).submit().want(-sys.ETIME) }},
	{name: "in the order of their ends", run: timeoutOrder},
	{name: "beside a deadline", run: timeoutBesideDeadline},
}

func timeoutNeverEarly(h *harness) {
	for _, d := range []time.Duration{1, 50 * time.Microsecond, 999 * time.Microsecond, 3 * time.Millisecond} {
		begun := h.now()
		h.timeout(d).submit().want(-sys.ETIME)
		if took := time.Duration(h.now() - begun); took < d {
			h.Errorf("a timeout of %v ended after %v", d, took)
		}
	}
}

func timeoutOrder(h *harness) {
	late := h.timeout(time.Minute).submit()
	early := h.timeout(time.Millisecond).submit()
	early.want(-sys.ETIME)
	late.wantPending()
	h.timeout(2 * time.Millisecond).submit().want(-sys.ETIME)
	late.wantCanceled()
}

// The op ends a Wait with a later deadline; a Wait's deadline doesn't end the op.
func timeoutBesideDeadline(h *harness) {
	c := h.timeout(5 * time.Millisecond).submit()
	if h.wait(h.now() + int64(time.Millisecond)); c.ended {
		return // the machine is slow
	}
	h.wait(driver.Forever)
	c.want(-sys.ETIME)
}
