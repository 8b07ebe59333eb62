//go:build linux

package uring

import (
	"errors"
	"syscall"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/driver/drivertest"
	"ringo/internal/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

func TestContract(t *testing.T) { drivertest.RunSizes(t, openForTest) }

// openForTest skips where the kernel refuses io_uring altogether; whatever else is
// wrong is a failure.
func openForTest(t *testing.T, cfg driver.Config) driver.Driver {
	t.Helper()
	d, err := Open(cfg)
	for _, refusal := range []syscall.Errno{syscall.ENOSYS, syscall.EPERM} {
		if errors.Is(err, refusal) {
			t.Skip(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}
