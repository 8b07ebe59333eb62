//go:build linux

package uring

import (
	"flag"
	"path"
	"runtime"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/test/drivertest"
	"ringo/internal/test/testmain"
	"ringo/internal/test/uringtest"
	"ringo/uring"
)

func TestMain(m *testing.M) { testmain.Main(m) }

func TestContract(t *testing.T) { drivertest.RunSizes(t, opener()) }

// profiles has every kernel and feature run, the kernels with rings of all sizes.
var profiles = flag.Bool("profiles", false, "run the contract on every profile of a kernel, in all sizes of the ring")

// TestContractWithout takes things away, so that each fallback runs.
func TestContractWithout(t *testing.T) {
	testmain.NeedLong(t, "the whole contract without each feature; TestContract has all of them")
	without := []string{
		"ext_arg,ring_fd", "buf_ring", "multishot_accept,multishot_poll",
		"op:accept,op:connect,op:recv,op:recvmsg,op:shutdown,op:close,op:socket,op:read,op:write",
		"op:read,op:readv,op:write,op:writev", // workers
	}
	if *profiles {
		without = append(without,
			"ext_arg", "ring_fd", "defer_taskrun", "coop_taskrun", "submit_all", "cqsize", "no_sqarray",
			"multishot_recv", "multishot_accept", "multishot_poll",
			"op:accept", "op:recv", "op:recvmsg", "op:connect", "op:shutdown", "op:close",
			"op:socket", "op:read", "op:write")
	}
	for _, features := range without {
		t.Run(features, func(t *testing.T) { drivertest.Run(t, opener(features)) })
	}
}

// TestContractSQPoll has a kernel thread take the entries.
func TestContractSQPoll(t *testing.T) {
	testmain.NeedLong(t, "the whole contract once more, with a thread of the kernel's that polls")
	drivertest.Run(t, func(t *testing.T, cfg driver.Config) driver.Driver {
		t.Helper()
		if atOnce[path.Base(t.Name())] {
			t.Skip("a kernel thread takes entries in its own time, so that nothing is done at once")
		}
		cfg.SQPoll = 50 * time.Millisecond
		if r, err := uring.Open(2, &uring.Config{SQPoll: true}); err == nil {
			nonfixed := r.Features()&uring.FeatSQPollNonfixed != 0
			r.Close()
			if !nonfixed {
				t.Skip(&uring.FeatureError{Name: "SQPOLL_NONFIXED", Since: "5.11"})
			}
		}
		return taken{opener()(t, cfg).(*ring)}
	})
}

// taken is a ring with a kernel thread whose Wait that does not sleep lets it take what there is: the suite's cases
// begin when their ops have.
type taken struct{ *ring }

func (d taken) Wait(deadline int64, done *driver.Queue) error {
	for {
		err := d.ring.Wait(deadline, done)
		if err != nil || deadline != driver.Poll || done.Len() > 0 || d.r.SQPending() == 0 {
			return err
		}
		runtime.Gosched()
	}
}

// atOnce are the cases in which one Wait that does not sleep has an effect.
var atOnce = map[string]bool{
	"poll_collects_what_is_done":              true,
	"late_and_all_is_told":                    true,
	"noticed_before_a_wait":                   true,
	"full_send_to_a_reader_that_leaves":       true,
	"a_full_send_that_went_in_part":           true,
	"a_full_send_that_went_in_part:_by_close": true,
}

// TestContractKernels is the driver as it would be on older kernels. Those before
// 5.7 lack what it can't be without.
func TestContractKernels(t *testing.T) {
	testmain.NeedLong(t, "the whole contract as on each older kernel; .ci/kernels boots some")
	if !*profiles {
		for _, kernel := range []string{"5.10", "6.1"} {
			t.Run(kernel, func(t *testing.T) { drivertest.Run(t, opener("kernel="+kernel)) })
		}
		return
	}
	for _, kernel := range []string{"5.7", "5.10", "5.15", "5.19", "6.0", "6.1", "6.6", "6.12"} {
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
		if uringtest.Refused(err) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}
