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
	EntriesMin   = 2     // this package's: a ring of one entry could not even link two
	EntriesMax   = 32768 // IORING_MAX_ENTRIES
	CQEntriesMax = 65536 // IORING_MAX_CQ_ENTRIES
)

// Config configures a ring. nil and the zero value mean the defaults.
type Config struct {
	// CQEntries is the CQ's size, at least the SQ's and at most CQEntriesMax, rounded up to a power of two. 0: four
	// times the SQ. Kernel 5.5; before it only 0 is possible, and means twice the SQ.
	CQEntries int

	// AnyThread makes a ring that any thread may use, one at a time under the caller's lock: without SINGLE_ISSUER,
	// DEFER_TASKRUN and a registered descriptor. It is slower, and for rings that belong to no loop. Each side may have
	// its own lock: one for SQE, SQSpace, SQPending, Enter and Flush, one for CQE, Drain and CQReady. Overflowed and
	// NeedsEnter need none.
	AnyThread bool

	// KeepP lets a waiting thread keep its P: Go's scheduler learns of a wait only when it has lasted for some 10 ms.
	// If waits are short, as with a fast disk, telling it costs a fifth of the CPU time (BenchmarkWaits). Meanwhile no
	// goroutine runs on that P, so GOMAXPROCS should be larger than the number of such threads; the garbage collector
	// interrupts the wait. It is for a few threads with nothing else to do. It affects Enter and Wait, and has no
	// effect with SQPoll. In a wait without a time limit the first signal is assumed to be the collector's, and the
	// wait continues.
	KeepP bool

	// SQPoll makes a kernel thread poll for entries, so that submitting needs no system call while it is awake. It uses
	// a core, and excludes the flags that defer or batch completions. SQPollIdle is how long that thread polls before
	// it sleeps, in milliseconds, rounded up; 0 means the kernel's default, a second. Kernel 5.13 without privilege.
	SQPoll     bool
	SQPollIdle time.Duration

	// SQPollCPU is the processor that the kernel's thread stays on, if With has SetupSQAff.
	SQPollCPU int

	// Attach is an open ring whose kernel thread this one, with SQPoll, shares. Kernel 5.6; without SQPoll it has no
	// effect since 5.12.
	Attach *Ring

	// IOPoll makes the kernel poll for completions. Only reads and writes of O_DIRECT files on queues made for polling
	// work on such a ring; others end with EINVAL or EOPNOTSUPP. A time limit does not end a wait there: the kernel
	// polls until it has the completions.
	IOPoll bool

	// With are setup flags that the ring must have: if the kernel lacks one, Open fails with EINVAL. This includes
	// flags that Open asks for anyway, but would do without.
	With SetupFlags

	// Memory is memory for the rings, page-aligned and of at least MemorySize bytes: mapped memory, such as huge pages,
	// not from the Go heap. The kernel uses it until the ring is closed and for a moment longer: unmap it only then,
	// and use it for nothing else. nil: the kernel allocates it and Open maps it. Kernel 6.5; before 6.10 memory of
	// more than a page must lie in one huge page.
	Memory []byte

	// Without are setup flags that Open must not ask for, WithoutFeatures are features to treat as missing, and
	// WithoutRingFD keeps the ring's descriptor from being registered: to test the behaviour on older kernels.
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

// mask is what the ring shall do without.
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

// idle is SQPollIdle for the kernel, which takes 0 for a second.
func (c *Config) idle() uint32 {
	const ms = time.Millisecond
	return uint32(min(c.SQPollIdle/ms+min(1, c.SQPollIdle%ms), math.MaxUint32))
}

// check returns all that is wrong with a configuration.
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

// flags returns what to ask the kernel for, best case.
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

// consistent drops the flags that the kernel refuses without others.
func consistent(f SetupFlags) SetupFlags {
	if f&SetupSingleIssuer == 0 {
		f &^= SetupDeferTaskrun
	}
	if f&(SetupDeferTaskrun|SetupCoopTaskrun) == 0 {
		f &^= SetupTaskrunFlag
	}
	return f
}

// ladder are the flags in the order in which they are given up, newest first.
var ladder = []SetupFlags{
	SetupNoSQArray, SetupDeferTaskrun, SetupSingleIssuer, SetupTaskrunFlag, SetupCoopTaskrun, SetupSubmitAll,
	SetupClamp, SetupCQSize,
}

// stepDown gives up the newest flag, but for those to keep; false if there is none left.
func stepDown(f, keep SetupFlags) (SetupFlags, bool) {
	for _, l := range ladder {
		if f&l&^keep != 0 && consistent(f&^l)&keep == f&keep {
			return consistent(f &^ l), true
		}
	}
	return f, false
}
