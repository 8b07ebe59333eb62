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

// TestContractWithout takes away one thing at a time, so that each fallback runs.
func TestContractWithout(t *testing.T) {
	for _, feature := range []string{
		"ext_arg", "ring_fd", "defer_taskrun", "coop_taskrun", "submit_all", "cqsize", "no_sqarray",
		"buf_ring", "multishot_recv", "multishot_accept", "multishot_poll",
		"op:accept", "op:recv", "op:recvmsg", "op:connect", "op:shutdown", "op:close", "op:socket", "op:read", "op:write",
		"op:read,op:readv,op:write,op:writev", // workers
	} {
		t.Run(feature, func(t *testing.T) { drivertest.Run(t, opener(feature)) })
	}
}

// TestContractKernels is the driver as it would be on older kernels. Those before
// 5.7 lack what it can't be without.
func TestContractKernels(t *testing.T) {
	for _, kernel := range []string{"5.7", "5.10", "5.15", "6.1", "6.6", "6.12"} {
		t.Run(kernel, func(t *testing.T) { drivertest.RunSizes(t, opener("kernel="+kernel)) })
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
