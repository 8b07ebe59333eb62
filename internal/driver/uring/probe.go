package uring

import (
	"errors"
	"slices"
	"sync"
	"syscall"

	"ringo/uring"
)

// needed are the checks without which this driver can't keep the contract.
// lending are those for buffers in the kernel's hands.
var (
	needed  = []string{uring.CheckRegister, uring.CheckNop, uring.CheckPollMultishot, uring.CheckAcceptMultishot}
	lending = []string{uring.CheckBufRing, uring.CheckRecvMultishot}
)

var probed struct {
	sync.Mutex
	report *uring.Report
}

// probe asks the kernel what it offers, once a process: what the process may do
// does not change under it, and if it does, by a seccomp filter that is set up
// later, enter says so. An answer that a shortage gave is not kept.
func probe() (*uring.Report, error) {
	probed.Lock()
	defer probed.Unlock()
	if probed.report != nil {
		return probed.report, nil
	}
	all := slices.Concat(needed, lending)
	report, err := uring.ProbeFor(all...)
	if err != nil {
		return nil, err
	}
	if !shortage(report.Require(all...)) {
		probed.report = report
	}
	return report, nil
}

// shortage reports whether an error says nothing of what the kernel can do.
func shortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}
