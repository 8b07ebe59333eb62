package ringo

import (
	"ringo/internal/driver/open"
	"ringo/uring"
)

// Drivers are the words that Config.Driver takes: "auto", then the drivers, the better ones
// first. Only a Run shows whether one works here. Any goroutine may call it; it does not wait.
func Drivers() []string { return open.Names() }

// Defect is something that a kernel has, that passes its self-test, and that loses or mixes
// up data there.
type Defect struct {
	Check string // a Check of package uring
	Until string // the first release of Linux in which it is mended, "6.8"
	Why   string // what goes wrong, with the source
}

// Defects lists what is broken on the kernel that a report of uring.Probe is about, or on the
// one that RINGO_MASK stands for: the uring driver does without. Any goroutine may call it;
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

// NativeAIO is why files that are open with O_DIRECT go by threads where a loop has no
// io_uring; nil if they go by the kernel's AIO, io_submit(2). It tries, and may wait for that
// a little: in a task it is for Loop.Offload. Any goroutine may call it.
func NativeAIO() error { return open.NativeAIO() }
