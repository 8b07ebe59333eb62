//go:build linux

package uring

import (
	"testing"

	"ringo/internal/driver"
	"ringo/internal/driver/drivertest"
	"ringo/internal/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

func TestContract(t *testing.T) { drivertest.RunSizes(t, opener()) }

// TestContractWithout takes away what older kernels don't have.
func TestContractWithout(t *testing.T) {
	for _, feature := range []string{"ext_arg", "ring_fd", "defer_taskrun", "buffer_ring"} {
		t.Run(feature, func(t *testing.T) { drivertest.Run(t, opener(feature)) })
	}
}

// opener skips where the kernel refuses io_uring altogether; whatever else is
// wrong is a failure.
func opener(without ...string) drivertest.Open {
	return func(t *testing.T, cfg driver.Config) driver.Driver {
		t.Helper()
		cfg.Without = without
		d, err := Open(cfg)
		if drivertest.Refused(err) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}
