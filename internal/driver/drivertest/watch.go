//go:build linux

package drivertest

import (
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"testing"
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

// watch ends the process, with all stacks, if the case hangs: a thread that does
// not come back from the driver can't be told to.
func (h *harness) watch() {
	name := h.Name()
	w := time.AfterFunc(hangs, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("drivertest: %s hangs in %s", name, placeNames[h.doing.Load()]))
	})
	h.Cleanup(func() { w.Stop() })
}

// checkFDs fails if there are descriptors that were not there before the driver.
func (h *harness) checkFDs() {
	h.Helper()
	for _, name := range slices.Sorted(maps.Keys(openFDs(h.T))) {
		if !h.before[name] {
			h.Errorf("left open: descriptor %s", name)
		}
	}
}

// openFDs lists the open descriptors as "number -> what it is".
func openFDs(t *testing.T) map[string]bool {
	t.Helper()
	const dir = "/proc/self/fd/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fds := make(map[string]bool, len(entries))
	for _, e := range entries {
		// One that is gone by now is the one that read the directory.
		if to, err := os.Readlink(dir + e.Name()); err == nil {
			fds[e.Name()+" -> "+to] = true
		}
	}
	return fds
}
