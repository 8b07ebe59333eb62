package drivertest

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"
)

// What the case's thread is doing, for the watchdog.
const (
	inCase = iota
	inSubmit
	inCancel
	inWait
	inClose
)

var placeNames = []string{"the case itself", "Submit", "Cancel", "Wait", "Close"}

func (h *harness) at(place int32) { h.doing.Store(place) }

// watch ends the process, with all stacks, if the case hangs: a thread that does not return from the driver can't be
// stopped otherwise. It does so before go test's timeout, whose message would not say what hangs.
func (h *harness) watch() {
	name, limit := h.Name(), hangs
	if alarm, ok := h.Deadline(); ok {
		limit = min(limit, time.Until(alarm)*9/10)
	}
	w := time.AfterFunc(limit, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("drivertest: %s hangs in %s", name, placeNames[h.doing.Load()]))
	})
	h.Cleanup(func() { w.Stop() })
}

// checkFDs fails the case if descriptors are open that were not open before the driver.
func (h *harness) checkFDs() {
	h.Helper()
	for _, name := range slices.Sorted(maps.Keys(h.m.opened(h.T))) {
		if !h.before[name] {
			h.Errorf("left open: descriptor %s", name)
		}
	}
}
