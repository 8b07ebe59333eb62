//go:build linux

package drivertest_test

import (
	"flag"
	"fmt"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/driver/soft"
	"ringo/internal/driver/uring"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/uringtest"
)

var programs = flag.Uint64("programs", 30, "how many random programs the drivers must agree on")

// TestDriversAgree runs the same programs on io_uring and on epoll.
func TestDriversAgree(t *testing.T) {
	for seed := range *programs {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { drivertest.Program(t, seed, openEpoll, openUring) })
	}
}

// FuzzDriversAgree looks for a program on which they differ.
func FuzzDriversAgree(f *testing.F) { drivertest.Fuzz(f, openEpoll, openUring) }

func openEpoll(t *testing.T, cfg driver.Config) driver.Driver {
	t.Helper()
	d, err := soft.OpenEpoll(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openUring(t *testing.T, cfg driver.Config) driver.Driver {
	t.Helper()
	d, err := uring.Open(cfg)
	if uringtest.Refused(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}
