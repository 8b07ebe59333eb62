package hosted

import (
	"errors"
	"fmt"
	"time"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/seam"
	"ringo/internal/sys"
	"ringo/uring"
)

// ringEngine is an io_uring that no thread owns.
type ringEngine struct {
	r    *uring.Ring
	ways [op.Codes]*op.Way // nil: the ring has no entry for the code
}

// needed are features without which completions would be lost (NODROP), or arguments would have to outlive the call
// (SUBMIT_STABLE). FAST_POLL marks Linux 5.7, the oldest version that the drivers accept.
const needed = uring.FeatNoDrop | uring.FeatSubmitStable | uring.FeatFastPoll

// without are flags that don't suit rings used by many threads. With them, completions would wait until the thread
// that submitted enters the kernel next, which may take long if its goroutine computes.
const without = uring.SetupCoopTaskrun | uring.SetupTaskrunFlag

// openUring makes an io_uring, smaller than configured if memory is short.
func openUring(cfg *Config) (e *ringEngine, inFlight int, err error) {
	u, inFlight, err := setUp(cfg)
	if err != nil {
		return nil, 0, err
	}
	e = &ringEngine{r: u}
	if err := e.equip(cfg); err != nil {
		u.Close()
		return nil, 0, err
	}
	return e, inFlight, nil
}

// setUp opens the uring.Ring. Its CQ has room for each op's completion and the completion of its cancel.
func setUp(cfg *Config) (u *uring.Ring, inFlight int, err error) {
	entries := min(max(cfg.InFlight, uring.EntriesMin), sqEntries)
	inFlight = cfg.InFlight
	const tries = 5
	for try := 1; ; try++ {
		u, err = uring.Open(entries, seam.Put(&uring.Config{AnyThread: true, CQEntries: 2 * max(inFlight, entries),
			Without: without}, seam.Seam{Mask: cfg.Mask, Kernel: cfg.Kernel}))
		if !errors.Is(err, posix.ENOMEM) {
			return u, inFlight, err
		}
		// The kernel returns the memory that was charged for closed rings only after some time.
		if time.Sleep(time.Millisecond << try); try < tries {
			continue
		}
		if entries/2 < sqEntriesMin {
			return nil, 0, err
		}
		try = 1
		entries /= 2
		inFlight = min(inFlight, 4*entries)
	}
}

// equip finds out what the ring can do, and bounds its workers.
func (e *ringEngine) equip(cfg *Config) error {
	if lacks := needed &^ e.r.Features(); lacks != 0 {
		return &uring.FeatureError{Name: lacks.String(), Since: "5.7"}
	}
	ops, err := e.r.ProbeOps()
	if err != nil {
		return err
	}
	if err := tryNop(e.r); err != nil {
		return err
	}
	for code := range op.Codes {
		e.ways[code] = wayOf(code, &ops)
	}
	return e.boundWorkers(cfg.Workers)
}

// tryNop finds out whether the process may call io_uring_enter.
func tryNop(u *uring.Ring) error {
	u.SQE().PrepNop()
	if _, err := u.Submit(); err != nil {
		return &uring.SetupError{Step: "io_uring_enter", Err: err,
			Hint: "a seccomp filter that allows io_uring_setup only"}
	}
	if c, ok := u.CQE(); !ok || c.Res != 0 {
		return fmt.Errorf("hosted: a NOP gave %d, and whether it has completed is %v", c.Res, ok)
	}
	return nil
}

// wayOf returns how the ring does ops of a code, nil if it does not. Only ops on files use it: for ops that wait for
// readiness there is Go's netpoller.
func wayOf(code op.Code, ops *uring.OpSet) *op.Way {
	if op.Table[code].Kind != op.Blocking {
		return nil
	}
	ways := code.Ways()
	for i := range ways {
		if w := &ways[i]; w.How == op.ByEntry && w.Serves(0) && ops.Has(w.Opcode) {
			return w
		}
	}
	return nil
}

// boundWorkers bounds the threads that the kernel makes for each thread that enters. The ring passes the bounds on to
// them. Before Linux 5.15 the kernel's own bound applies, four for each processor.
func (e *ringEngine) boundWorkers(n int) error {
	if _, _, err := e.r.IOWQMaxWorkers(uint32(n), uint32(n)); err != nil && !errors.Is(err, posix.EINVAL) {
		return err
	}
	return nil
}

func (e *ringEngine) takes(code op.Code) bool    { return e.ways[code] != nil }
func (e *ringEngine) cancels() bool              { return true }
func (e *ringEngine) pending() int               { return e.r.SQPending() }
func (e *ringEngine) overflowed() bool           { return e.r.Overflowed() }
func (e *ringEngine) drain(into []uring.CQE) int { return e.r.Drain(into) }
func (e *ringEngine) fd() int32                  { return int32(e.r.FD()) }
func (e *ringEngine) close() error               { return e.r.Close() }

func (e *ringEngine) add(c *call) bool {
	s := e.r.SQE()
	if s == nil {
		return false
	}
	e.ways[c.code].Prep(c.op, s)
	if c.async {
		s.Flags |= uring.SQEAsync
	}
	s.UserData = c.op.Token()
	return true
}

func (e *ringEngine) addCancel(token uint64) bool {
	s := e.r.SQE()
	if s == nil {
		return false
	}
	s.PrepCancel(token)
	s.UserData = token | markCancel
	return true
}

// flush submits, and tells the Go scheduler of the call, because an entry may copy out of the page cache, or have to
// read where a file's blocks are.
func (e *ringEngine) flush() (taken int, errno posix.Errno) { return e.r.Flush() }

func (e *ringEngine) unblock() posix.Errno {
	_, errno := e.r.Enter(0, true, -1)
	return errno
}

// When the thread that has submitted an op ends, the kernel gives up what it would have done on that thread, with
// -ECANCELED; or with -EFAULT, for a buffered read whose page had just come (io_req_task_submit in io_uring/io_uring.c
// of Linux 6.18), which bad memory of the caller also causes. -EAGAIN comes from file systems that would wait where
// only the kernel's threads may: then the op is submitted again for one of those.
func (e *ringEngine) givenUp(c *call, res int32) bool {
	switch res {
	case -sys.EAGAIN:
		c.async = true
		return true
	case -sys.ECANCELED, -sys.EFAULT, -sys.EINTR:
		return true
	}
	return false
}

func (e *ringEngine) unbegun(*op.Op, int32) bool { return false }
