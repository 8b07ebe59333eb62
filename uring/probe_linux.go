//go:build linux

package uring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
	"ringo/internal/mask"
)

// probe runs ask on a separate thread.
func probe(cfg *Config, ask func(*Report)) (*Report, error) {
	type answer struct {
		report *Report
		err    error
	}
	done := make(chan answer)
	go func() {
		// Never unlocked: so the thread ends with the goroutine, together with whatever the rings have left on it.
		runtime.LockOSThread()
		var uts unix.Utsname
		if err := unix.Uname(&uts); err != nil {
			done <- answer{err: os.NewSyscallError("uname", err)}
			return
		}
		r := &Report{System: fmt.Sprintf("%s %s %s", runtime.GOOS, unix.ByteSliceToString(uts.Release[:]),
			runtime.GOARCH), cfg: *cfg}
		ask(r)
		done <- answer{report: r}
	}()
	a := <-done
	return a.report, a.err
}

func (r *Report) askLimits() {
	if v, err := disabledSysctl(); err == nil {
		r.DisabledSysctl = &v
	}
	r.Seccomp = seccompActive()
	if soft, hard, err := memlock(); err == nil {
		s, h := int64(soft), int64(hard) // RLIM_INFINITY becomes -1
		r.MemlockSoft, r.MemlockHard = &s, &h
	}
}

// askAll fills in the whole report.
func (r *Report) askAll() {
	r.askLimits()
	var all []string
	for _, c := range selfTests {
		all = append(all, c.name)
	}
	if r.ask(all); r.Usable {
		r.askSetupFlags()
		r.askMaxima()
	}
}

// ask opens a small ring, and fills in its features and opcodes and the results of these checks.
func (r *Report) ask(checks []string) {
	cfg := r.cfg
	cfg.WithoutRingFD = true // a thread can have only a few; CheckRingFD tries it
	ring, err := openPatiently(8, &cfg)
	if err != nil {
		r.refuse(err)
		return
	}
	defer ring.Close()
	r.Features = ring.Features()
	r.FeatureSet = listNames(uint64(r.Features), featureNames)
	if r.askOps(ring); r.Refusal == nil {
		r.add(CheckNop, "5.1", checkNop(ring))
		r.refuseIfDenied(CheckNop, "io_uring_enter")
	}
	if r.Refusal != nil {
		return
	}
	r.Usable = true
	for _, c := range selfTests {
		if slices.Contains(checks, c.name) {
			r.add(c.name, c.since, c.run(ring))
		}
	}
}

func (r *Report) add(name, since string, err error) {
	r.Checks = append(r.Checks, offered(name, since, err))
}

// refuseIfDenied turns a failed check into a refusal if the kernel did not allow the call.
func (r *Report) refuseIfDenied(check, step string) {
	err := r.check(check)
	for _, denied := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.ENOSYS} {
		if errors.Is(err, denied) {
			if s := (*SetupError)(nil); !errors.As(err, &s) {
				err = setupError(step, denied)
			}
			r.refuse(err)
		}
	}
}

func (r *Report) askOps(ring *Ring) {
	ops, err := ring.ProbeOps()
	r.add(CheckRegister, "5.6", err)
	r.refuseIfDenied(CheckRegister, "io_uring_register")
	if err != nil {
		return
	}
	r.Ops = ops
	for _, o := range ops.List() {
		r.OpNames = append(r.OpNames, o.String())
	}
	for o := range opNames {
		if !ops.Has(Op(o)) {
			r.OpsMissing = append(r.OpsMissing, Op(o).String())
		}
	}
}

// setupTries lists the setup flags worth knowing about, each with the flags that it requires.
var setupTries = []struct {
	name, since string
	flags       uint32
}{
	{"IOPOLL", "5.1", abi.IORING_SETUP_IOPOLL},
	{"SQPOLL", "5.1", abi.IORING_SETUP_SQPOLL},
	{"CQSIZE", "5.5", abi.IORING_SETUP_CQSIZE},
	{"CLAMP", "5.6", abi.IORING_SETUP_CLAMP},
	{"R_DISABLED", "5.10", abi.IORING_SETUP_R_DISABLED},
	{"SUBMIT_ALL", "5.18", abi.IORING_SETUP_SUBMIT_ALL},
	{"COOP_TASKRUN", "5.19", abi.IORING_SETUP_COOP_TASKRUN},
	{"TASKRUN_FLAG", "5.19", abi.IORING_SETUP_TASKRUN_FLAG | abi.IORING_SETUP_COOP_TASKRUN},
	{"SQE128", "5.19", abi.IORING_SETUP_SQE128},
	{"CQE32", "5.19", abi.IORING_SETUP_CQE32},
	{"SINGLE_ISSUER", "6.0", abi.IORING_SETUP_SINGLE_ISSUER},
	{"DEFER_TASKRUN", "6.1", abi.IORING_SETUP_DEFER_TASKRUN | abi.IORING_SETUP_SINGLE_ISSUER},
	{"NO_SQARRAY", "6.6", abi.IORING_SETUP_NO_SQARRAY},
	{"HYBRID_IOPOLL", "6.13", abi.IORING_SETUP_HYBRID_IOPOLL | abi.IORING_SETUP_IOPOLL},
	{"CQE_MIXED", "6.18", abi.IORING_SETUP_CQE_MIXED},
	{"SQE_MIXED", "6.19", abi.IORING_SETUP_SQE_MIXED},
	{"SQ_REWIND", "7.0", abi.IORING_SETUP_SQ_REWIND | abi.IORING_SETUP_NO_SQARRAY},
}

func (r *Report) askSetupFlags() {
	for _, try := range setupTries {
		_, errno := r.setUpPatiently(EntriesMin, try.flags)
		var err error
		switch m, _ := r.cfg.mask(); {
		case m != nil && try.flags&abi.IORING_SETUP_SQPOLL != 0:
			err = fmt.Errorf("uring: none under %s: a kernel thread would take entries before they can be looked at",
				mask.Variable)
		case errno != 0:
			err = setupError("io_uring_setup("+try.name+")", errno)
		}
		r.SetupFlags = append(r.SetupFlags, offered(try.name, try.since, err))
	}
}

// askMaxima asks for the largest size and lets the kernel clamp it; as long as memory is short, it halves the size.
func (r *Report) askMaxima() {
	for entries := uint32(EntriesMax); entries >= EntriesMin; entries /= 2 {
		p, errno := r.setUpPatiently(entries, abi.IORING_SETUP_CLAMP|abi.IORING_SETUP_CQSIZE)
		if errno == 0 {
			r.SQEntriesMax, r.CQEntriesMax = int(p.Sq_entries), int(p.Cq_entries)
			return
		}
		if errno != syscall.ENOMEM {
			return
		}
	}
}

// Rings that were just closed count against RLIMIT_MEMLOCK until the kernel has freed them, so after ENOMEM the probe
// tries again, at most this many times.
const (
	memoryTries = 5
	memoryPause = time.Millisecond
)

func openPatiently(entries int, cfg *Config) (*Ring, error) {
	return patiently(func() (*Ring, error) { return Open(entries, cfg) })
}

func patiently[T any](ask func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		got, err := ask()
		if !errors.Is(err, syscall.ENOMEM) || try == memoryTries {
			return got, err
		}
		time.Sleep(memoryPause << try)
	}
}

// setUpPatiently sets up a ring, and closes it at once.
func (r *Report) setUpPatiently(entries, flags uint32) (abi.Io_uring_params, syscall.Errno) {
	m, _ := r.cfg.mask() // Open has reported the error
	ring := &Ring{kernel: m.Kernel(r.cfg.seam.Kernel)}
	for try := 1; ; try++ {
		p := abi.Io_uring_params{Flags: flags}
		if flags&abi.IORING_SETUP_CQSIZE != 0 {
			p.Cq_entries = 2 * entries
		}
		fd, errno := ring.sysSetup(entries, &p)
		if errno == 0 {
			ring.sysClose(fd)
			return p, 0
		}
		if errno != syscall.ENOMEM || try == memoryTries {
			return p, errno
		}
		time.Sleep(memoryPause << try)
	}
}
