//go:build linux

package sim

import (
	"testing"
	"time"
)

// ShortWaits has Wait give up sooner beside what ticks, for a test.
func ShortWaits(t *testing.T, busy time.Duration, events uint64) {
	d, n := waitBusy, waitEvents
	waitBusy, waitEvents = busy, events
	t.Cleanup(func() { waitBusy, waitEvents = d, n })
}

// Command is what a failure says to run a test again.
var Command = command
