package uring

import (
	"errors"
	"fmt"
	"math"
	"time"

	"ringo/internal/mask"
	"ringo/internal/seam"
)

// The kernel's limits on a ring's size.
const (
	EntriesMin   = 2     // this package's limit: a ring of one entry could not even link two
	EntriesMax   = 32768 // IORING_MAX_ENTRIES
	CQEntriesMax = 65536 // IORING_MAX_CQ_ENTRIES
)

// Config configures a ring. A nil *Config and the zero value mean the defaults.
type Config struct {
	// CQEntries is the CQ's size, at least the SQ's and at most CQEntriesMax, rounded up to a power of two. 0 means
	// four times the SQ. Since Linux 5.5; before, only 0 is possible, and means twice the SQ.
	CQEntries int

	// AnyThread makes a ring that any thread may use, one at a time under the caller's lock: without SINGLE_ISSUER,
	// DEFER_TASKRUN and a registered descriptor. It is slower, and meant for rings that belong to no loop. The SQ and
	// the CQ may have separate locks: one for SQE, SQSpace, SQPending, Enter and Flush, one for CQE, Drain and CQReady.
	// Overflowed and NeedsEnter need no lock.
	AnyThread bool

	// KeepP lets a waiting thread keep its P: Go's scheduler learns of a wait only once it has lasted for some 10 ms.
	// If waits are short, as with a fast disk, telling the scheduler costs a fifth of the CPU time (BenchmarkWaits).
	// While such a thread waits, no goroutine runs on its P, so GOMAXPROCS should be larger than the number of such
	// threads; the garbage collector interrupts the wait. KeepP is for a few threads with nothing else to do. It
	// affects Enter and Wait, and has no effect with SQPoll. A wait without a time limit takes the first signal for the
	// collector's, and continues.
	KeepP bool

	// SQPoll makes a kernel thread poll for entries, so that submitting needs no system call while that thread is
	// awake. The thread uses a core, and SQPoll excludes the flags that defer or batch completions. Before Linux 5.13
	// it needs privileges. SQPollIdle is how long the thread polls before it sleeps, rounded up to milliseconds; 0
	// means the kernel's default, a second.
	SQPoll     bool
	SQPollIdle time.Duration

	// SQPollCPU is the processor that the polling thread stays on, if With has SetupSQAff.
	SQPollCPU int

	// Attach is an open ring whose polling thread this one, with SQPoll, shares. Since Linux 5.6; without SQPoll it has
	// had no effect since 5.12.
	Attach *Ring

	// IOPoll makes the kernel poll for completions. Only reads and writes of O_DIRECT files on queues made for polling
	// work on such a ring; others end with EINVAL or EOPNOTSUPP. A time limit does not end a wait on such a ring: the
	// kernel polls until it has the completions.
	IOPoll bool

	// With is the set of setup flags that the ring must have: if the kernel lacks one, Open fails with EINVAL. It may
	// name flags that Open would ask for anyway, but could do without.
	With SetupFlags

	// Memory is the memory for the rings, page-aligned and of at least MemorySize bytes: mapped memory, such as huge
	// pages, not from the Go heap. The kernel uses it until the ring is closed and for a moment longer: unmap it only
	// then, and use it for nothing else. nil means that the kernel allocates memory and Open maps it. Since Linux 6.5;
	// before 6.10 memory of more than a page must lie in one huge page.
	Memory []byte

	// Without is the set of setup flags that Open must not ask for, WithoutFeatures is the set of features to treat as
	// missing, and WithoutRingFD keeps Open from registering the ring's descriptor. They are for testing a program's
	// behaviour on older kernels.
	Without         SetupFlags
	WithoutFeatures Features
	WithoutRingFD   bool

	seam seam.Seam
}

func init() {
	seam.Hook(func(cfg any, s seam.Seam) bool {
		c, ok := cfg.(*Config)
		if ok {
			c.seam = s
		}
		return ok
	})
}

// mask returns what the ring must do without: the mask of the seam, if it has one or a stand-in for the kernel, or else
// that of RINGO_MASK.
func (c *Config) mask() (*mask.Mask, error) {
	if c.seam.Mask != nil || c.seam.Kernel != nil {
		return c.seam.Mask, nil
	}
	m, err := mask.Env()
	if err != nil {
		return nil, &SetupError{Step: "environment", Err: err, Advice: []string{"unset or mend " + mask.Variable}}
	}
	return m, nil
}

// idle returns SQPollIdle in milliseconds, as the kernel takes it; 0 means a second there.
func (c *Config) idle() uint32 {
	const ms = time.Millisecond
	return uint32(min(c.SQPollIdle/ms+min(1, c.SQPollIdle%ms), math.MaxUint32))
}

// check returns all that is wrong with a configuration, joined.
func (c *Config) check(entries int) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("uring: "+format, args...)) }
	if entries < EntriesMin || entries > EntriesMax {
		bad("%d entries: want %d to %d", entries, EntriesMin, EntriesMax)
	}
	if c.CQEntries != 0 && (c.CQEntries < entries || c.CQEntries > CQEntriesMax) {
		bad("CQEntries %d: want 0, or %d (the SQ's entries) to %d", c.CQEntries, entries, CQEntriesMax)
	}
	if c.CQEntries != 0 && c.Without&SetupCQSize != 0 {
		bad("CQEntries %d: needs CQSIZE, which is in Without", c.CQEntries)
	}
	if c.SQPollIdle < 0 || c.SQPollIdle > 0 && !c.SQPoll {
		bad("SQPollIdle %v: want a positive time, and SQPoll", c.SQPollIdle)
	}
	if c.SQPoll && c.Without&SetupSQPoll != 0 {
		bad("SQPoll: SQPOLL is in Without")
	}
	if c.IOPoll && c.Without&SetupIOPoll != 0 {
		bad("IOPoll: IOPOLL is in Without")
	}
	if both := c.With & c.Without; both != 0 {
		bad("%v: in With and in Without", both)
	}
	for _, f := range []struct {
		flag  SetupFlags
		set   bool
		field string
	}{
		{SetupSQPoll, c.SQPoll, "SQPoll"}, {SetupIOPoll, c.IOPoll, "IOPoll"}, {SetupNoMmap, c.Memory != nil, "Memory"},
		{SetupAttachWQ, c.Attach != nil, "Attach"},
	} {
		if c.With&f.flag != 0 && !f.set {
			bad("%v in With: set %s", f.flag, f.field)
		}
	}
	if c.SQPollCPU < 0 || c.SQPollCPU > 0 && c.With&SetupSQAff == 0 {
		bad("SQPollCPU %d: want a processor, and SQ_AFF in With", c.SQPollCPU)
	}
	if a := c.Attach; a != nil && (a.closed || a.FD() < 0) {
		bad("Attach: a ring without a descriptor")
	}
	if c.AnyThread && c.With&SetupRegisteredFDOnly != 0 {
		bad("%v in With: not with AnyThread, only one thread could use the ring", SetupRegisteredFDOnly)
	}
	if lost := c.With &^ (c.Without | c.flags()); lost != 0 {
		bad("%v in With: the rest of the configuration excludes it", lost)
	}
	return errors.Join(append(errs, c.checkMemory(entries))...)
}

// flags returns the flags to ask the kernel for first, before setUp drops any.
func (c *Config) flags() SetupFlags {
	f := SetupCQSize | SetupClamp | SetupSubmitAll | SetupNoSQArray |
		SetupSingleIssuer | SetupDeferTaskrun | SetupCoopTaskrun | SetupTaskrunFlag
	if c.SQPoll {
		f |= SetupSQPoll
		f &^= SetupDeferTaskrun | SetupCoopTaskrun | SetupTaskrunFlag
	}
	if c.IOPoll {
		f |= SetupIOPoll
	}
	if c.AnyThread {
		f &^= SetupSingleIssuer
	}
	if c.Attach != nil {
		f |= SetupAttachWQ
	}
	if c.Memory != nil {
		f |= SetupNoMmap
	}
	return consistent((f | c.With) &^ c.Without)
}

// consistent drops the flags that the kernel refuses without certain others.
func consistent(f SetupFlags) SetupFlags {
	if f&SetupSingleIssuer == 0 {
		f &^= SetupDeferTaskrun
	}
	if f&(SetupDeferTaskrun|SetupCoopTaskrun) == 0 {
		f &^= SetupTaskrunFlag
	}
	return f
}

// ladder lists the flags in the order in which setUp drops them, newest first.
var ladder = []SetupFlags{
	SetupNoSQArray, SetupDeferTaskrun, SetupSingleIssuer, SetupTaskrunFlag, SetupCoopTaskrun, SetupSubmitAll,
	SetupClamp, SetupCQSize,
}

// stepDown drops the newest flag that is not in keep, and those that depend on it; it returns false if there is none
// left.
func stepDown(f, keep SetupFlags) (SetupFlags, bool) {
	for _, l := range ladder {
		if f&l&^keep != 0 && consistent(f&^l)&keep == f&keep {
			return consistent(f &^ l), true
		}
	}
	return f, false
}
