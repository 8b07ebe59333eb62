package ringo

import (
	"ringo/internal/driver/open"
	"ringo/uring"
)

// Drivers are the words that Config.Driver takes: "auto", then the drivers, the better ones
// first. Only a Run shows whether one works here. Any goroutine may call it; it does not wait.
func Drivers() []string { return open.Names() }

// Defect is a fault of a kernel that its self-test does not show, and that loses or mixes up data.
type Defect struct {
	Check string // a Check of package uring
	Until string // the first release of Linux in which it is mended, "6.8"
	Why   string // what goes wrong, with the source
}

// Defects lists the faults of the kernel that a report of uring.Probe is about, or of the one that
// RINGO_MASK stands for. The uring driver does not use what they are in. Any goroutine may call it;
// it does not wait.
func Defects(r *uring.Report) (all []Defect) {
	if r == nil || !r.Usable {
		return nil
	}
	for _, d := range open.Distrusted(r.System) {
		all = append(all, Defect{Check: d.Check, Until: d.Below, Why: d.Why})
	}
	return all
}

// NativeAIO reports whether the kernel's AIO, io_submit(2), reads and writes files that are open
// with O_DIRECT where a loop has no io_uring: nil if it does, or the reason why threads do. It
// tries that, which may wait a little: a task calls it in Loop.Offload. Any goroutine may call it.
func NativeAIO() error { return open.NativeAIO() }
