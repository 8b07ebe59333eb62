package uring

import (
	"errors"
	"fmt"
	"time"

	"ringo/internal/mask"
	"ringo/internal/seam"
)

// The kernel's limits on a ring's size.
const (
	EntriesMin   = 2     // ours: a ring of one entry could not even link two
	EntriesMax   = 32768 // IORING_MAX_ENTRIES
	CQEntriesMax = 65536 // IORING_MAX_CQ_ENTRIES
)

// Config says what a ring should be like. The zero value and nil are good.
type Config struct {
	// CQEntries is the CQ's size, at least the SQ's and at most CQEntriesMax, rounded up to a power of two. 0: four
	// times the SQ. Kernel 5.5; before it only 0 is possible, and means twice the SQ.
	CQEntries int

	// AnyThread makes a ring that any thread may use, one at a time under the caller's lock: no SINGLE_ISSUER, no
	// DEFER_TASKRUN, no registered descriptor. Slower; for rings that belong to no loop. There may be a lock for each
	// side: one for SQE, SQSpace, SQPending, Enter and Flush, one for CQE, Drain and CQReady. Overflowed and NeedsEnter
	// need none.
	AnyThread bool

	// SQPoll has a kernel thread look for entries, so that submitting needs no system call while it is awake. It costs
	// a core, and excludes what defers or batches completions. SQPollIdle is how long that thread looks before it
	// sleeps, in milliseconds' precision; 0: the kernel's second. Kernel 5.13 without privilege.
	SQPoll     bool
	SQPollIdle time.Duration

	// IOPoll has completions polled for. Only reads and writes of O_DIRECT files on queues made for it work on such a
	// ring.
	IOPoll bool

	// Without are setup flags never to be asked for, WithoutFeatures are features to be treated as missing, and
	// WithoutRingFD keeps the ring's descriptor from being registered: so a new kernel tests what an old one would do.
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
	return errors.Join(errs...)
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
	return consistent(f &^ c.Without)
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

// stepDown gives up the newest flag; false if there is none left.
func stepDown(f SetupFlags) (SetupFlags, bool) {
	for _, l := range ladder {
		if f&l != 0 {
			return consistent(f &^ l), true
		}
	}
	return f, false
}
