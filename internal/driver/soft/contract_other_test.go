//go:build !linux

package soft

import (
	"testing"

	"ringo/internal/driver"
	"ringo/internal/poller"
	"ringo/internal/test/drivertest"
)

// TestContract is that of the one driver that there is where the system is not Linux.
func TestContract(t *testing.T) {
	drivertest.Run(t, func(t *testing.T, cfg driver.Config) driver.Driver {
		t.Helper()
		d, err := open(cfg, "poll", poller.OpenPoll)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
