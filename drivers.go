package ringo

import (
	"ringo/internal/driver/open"
	"ringo/uring"
)

// Drivers returns the values that Config.Driver accepts: "auto", then the drivers, best first. Only Run shows whether
// one works here. Any goroutine may call it; it does not wait.
func Drivers() []string { return open.Names() }

// Defect is a kernel bug that self-tests do not detect, and that loses or corrupts data.
type Defect struct {
	Check string // a Check of package uring
	Until string // the first Linux release that fixes it, "6.8"
	Why   string // what goes wrong, with the source
}

// Defects lists the known bugs of the kernel that r, a report of uring.Probe, describes, or of the one that RINGO_MASK
// imitates. The uring driver does not use the affected features. Any goroutine may call it; it does not wait.
func Defects(r *uring.Report) (all []Defect) {
	if r == nil || !r.Usable {
		return nil
	}
	for _, d := range open.Distrusted(r.System) {
		all = append(all, Defect{Check: d.Check, Until: d.Below, Why: d.Why})
	}
	return all
}

// NativeAIO reports whether the kernel's AIO, io_submit(2), reads and writes files that are open with O_DIRECT where a
// loop has no io_uring. It returns nil, or the reason why threads do this instead. It finds out by trying, which may
// block for a moment: a task should call it in Loop.Offload. Any goroutine may call it.
func NativeAIO() error { return open.NativeAIO() }
