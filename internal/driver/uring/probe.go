package uring

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"ringo/internal/mask"
	"ringo/internal/posix"
	"ringo/internal/seam"
	"ringo/uring"
)

// asked are the self-tests that the driver depends on. The driver can't run without those in needed, and can't lend
// buffers to the kernel without those in lending.
var (
	asked = []string{uring.CheckRegister, uring.CheckNop, uring.CheckExtArg, uring.CheckPollMultishot,
		uring.CheckAcceptMultishot, uring.CheckBufRing, uring.CheckRecvMultishot, uring.CheckRecvLimit,
		uring.CheckSilentSend}
	needed  = []string{uring.CheckRegister, uring.CheckNop}
	lending = []string{uring.CheckBufRing, uring.CheckRecvMultishot}
)

// neededFeatures: without FAST_POLL (5.7) each op that waits takes a thread, without NODROP (5.5) completions are
// lost, and without RW_CUR_POS (5.6) pipes can't be read.
const neededFeatures = uring.FeatFastPoll | uring.FeatNoDrop | uring.FeatRWCurPos

var probed struct {
	sync.Mutex
	reports map[string]*uring.Report // by mask
}

// probe returns what the kernel offers. It asks once a process, because what a process may do does not change; if a
// seccomp filter that is set up later changes it, enter fails. It does not keep an answer that a shortage has caused.
func probe(m *mask.Mask) (*uring.Report, error) {
	probed.Lock()
	defer probed.Unlock()
	key := strings.Join(m.Names(), ",")
	if r := probed.reports[key]; r != nil {
		return r, nil
	}
	r, err := uring.ProbeFor(seam.Put(&uring.Config{}, seam.Seam{Mask: m}), asked...)
	if err != nil {
		return nil, err
	}
	if !shortage(r.Require(asked...)) {
		if probed.reports == nil {
			probed.reports = map[string]*uring.Report{}
		}
		probed.reports[key] = r
	}
	return r, nil
}

// usable returns why the driver can't run on this kernel; nil if it can.
func usable(r *uring.Report) error {
	if err := r.Require(needed...); err != nil {
		return err
	}
	if !r.Ops.Has(uring.OpAsyncCancel) { // or what waits would never end
		return &uring.FeatureError{Name: "ASYNC_CANCEL", Since: "5.5"}
	}
	if lacks := neededFeatures &^ r.Features; lacks != 0 {
		return &uring.FeatureError{Name: lacks.String(), Since: "5.7"}
	}
	return nil
}

// spared reports whether the shortage err of a check prevents only that buffers are lent: locked memory may suffice
// for a ring and not for them.
func spared(check string, err error) bool {
	return errors.Is(err, posix.ENOMEM) && (slices.Contains(lending, check) || check == uring.CheckRecvLimit ||
		check == uring.CheckSilentSend)
}

// shortage reports whether an error means a lack of resources, and so says nothing about what the kernel can do.
func shortage(err error) bool {
	for _, lack := range []posix.Errno{posix.EMFILE, posix.ENFILE, posix.ENOMEM, posix.ENOBUFS, posix.EAGAIN,
		posix.EBUSY} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}
