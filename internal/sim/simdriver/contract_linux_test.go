//go:build linux

package simdriver

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/driver/soft"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/uringtest"
)

// TestContract runs the suite of the system's drivers over a kernel in memory.
func TestContract(t *testing.T) { drivertest.RunSimulated(t, open, excusedHere()) }

// TestContractSlowDisk has what may wait for a disk wait for it.
func TestContractSlowDisk(t *testing.T) { drivertest.RunSimulated(t, openSlow, excusedSlow()) }

func openSlow(t *testing.T, cfg driver.Config, s *drivertest.Seat) driver.Driver {
	t.Helper()
	chance := s.World().Rand()
	s.Host().Disk = func(*op.Op) time.Duration { return time.Duration(chance.IntN(100)) * time.Microsecond }
	return open(t, cfg, s)
}

// TestAgreesWithLinux has random programs of ops and peers show the same in a world as on Linux.
func TestAgreesWithLinux(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			drivertest.ProgramSimulated(t, seed, openEpoll, open)
		})
	}
}

func openEpoll(t *testing.T, cfg driver.Config) driver.Driver {
	t.Helper()
	d, err := soft.OpenEpoll(cfg)
	if uringtest.Refused(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestExcused(t *testing.T) {
	drivertest.CheckExcused(t, "TestContract", excusedHere())
	drivertest.CheckExcused(t, "TestContractSlowDisk", excusedSlow())
}

func open(t *testing.T, cfg driver.Config, s *drivertest.Seat) driver.Driver {
	t.Helper()
	d, err := Open(Config{Config: cfg, Host: s.Host(), World: s.World(), Turns: s, Killed: s.Killed})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// excusedHere leaves out what this build does not look at: allocations are not counted under the race detector.
func excusedHere(more ...map[string]string) map[string]string {
	here := maps.Clone(excused)
	for _, m := range more {
		maps.Copy(here, m)
	}
	maps.DeleteFunc(here, func(name, _ string) bool { return race.Enabled && strings.HasPrefix(name, "alloc/") })
	return here
}

// excusedSlow are those that a disk is excused from that takes time for all that it is asked.
func excusedSlow() map[string]string {
	const wait = "a world allocates what is to happen in it: the end of what the disk is at"
	return excusedHere(map[string]string{
		"alloc/file":                          wait,
		"alloc/past the page cache":           wait,
		"tree/what is in memory can be tried": "a disk that takes time takes it for names as well: nothing keeps them",
	})
}

const memory = "a kernel in memory allocates what the system's has in memory of its own"

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

	"ready/an urgent byte in between": "its TCP knows no urgent data",
}
