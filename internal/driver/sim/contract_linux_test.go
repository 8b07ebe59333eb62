//go:build linux

package sim

import (
	"maps"
	"strings"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/driver/drivertest"
	"ringo/internal/race"
)

// TestContract runs the suite of the system's drivers over a kernel in memory.
func TestContract(t *testing.T) { drivertest.RunSimulated(t, open, excusedHere()) }

func TestExcused(t *testing.T) { drivertest.CheckExcused(t, "TestContract", excusedHere()) }

func open(t *testing.T, cfg driver.Config, s *drivertest.Seat) driver.Driver {
	t.Helper()
	d, err := Open(Config{Config: cfg, Host: s.Host(), World: s.World(), Pause: s.Pause, Sleep: s.Sleep, Rouse: s.Rouse,
		Killed: s.Killed})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// excusedHere leaves out what this build does not look at: allocations are not counted under the race detector.
func excusedHere() map[string]string {
	here := maps.Clone(excused)
	maps.DeleteFunc(here, func(name, _ string) bool { return race.Enabled && strings.HasPrefix(name, "alloc/") })
	return here
}

const (
	memory   = "a kernel in memory allocates what the system's has in memory of its own"
	controls = "the network carries no control messages of IP"
)

// excused are the cases of what a kernel in memory rightly lacks.
var excused = map[string]string{
	"alloc/accept and close": memory,
	"alloc/batches":          memory,
	"alloc/messages":         memory,
	"alloc/multishot recv":   memory,
	"alloc/outbox":           memory,
	"alloc/poll":             memory,
	"alloc/send and recv":    memory,
	"alloc/splices":          memory,
	"alloc/timeout":          "a world allocates what is to happen in it",

	"batch/recvmmsg into vectors, with control messages":    controls,
	"datagram/TOS both ways":                                controls,
	"datagram/more control messages than there is room for": controls,

	"ready/an urgent byte in between": "its TCP knows no urgent data",
}
