package hosted

import (
	"errors"
	"fmt"
	"time"

	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/seam"
	"ringo/uring"
)

// needed are features without which completions would be lost (NODROP), or arguments
// would have to outlive the call (SUBMIT_STABLE). FAST_POLL marks Linux 5.7, the first that
// the drivers take.
const needed = uring.FeatNoDrop | uring.FeatSubmitStable | uring.FeatFastPoll

// without are flags that are not for many threads. Completions would wait until the
// thread that has submitted next enters the kernel, which a goroutine that computes may
// not do for long.
const without = uring.SetupCoopTaskrun | uring.SetupTaskrunFlag

// openRing makes one ring, smaller than asked for if memory is short.
func openRing(cfg *Config) (*ring, error) {
	u, inFlight, err := setUp(cfg)
	if err != nil {
		return nil, err
	}
	r := &ring{r: u, slab: op.NewSlab(0), max: inFlight, queue: cfg.Queue, few: max(cfg.Few, 0)}
	r.relieve = r.lead
	if err := r.equip(cfg); err != nil {
		u.Close()
		return nil, err
	}
	return r, nil
}

// setUp opens the uring.Ring. Its CQ has room for a completion and a cancel of each op.
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
		// What closed rings were charged the kernel gives back only some time later.
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

// equip finds out what the ring can do, and gives it its watcher.
func (r *ring) equip(cfg *Config) error {
	if lacks := needed &^ r.r.Features(); lacks != 0 {
		return &uring.FeatureError{Name: lacks.String(), Since: "5.7"}
	}
	ops, err := r.r.ProbeOps()
	if err != nil {
		return err
	}
	if err := tryNop(r.r); err != nil {
		return err
	}
	for code := range op.Codes {
		r.ways[code] = wayOf(code, &ops)
	}
	if err := r.boundWorkers(cfg.Workers); err != nil {
		return err
	}
	return r.watch()
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

// wayOf is how ops of a code go by the ring; nil if they don't. Those are for files:
// what waits for readiness has Go's netpoller.
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

// boundWorkers bounds the threads that the kernel makes for each thread that enters. The
// ring passes the bounds on to them. Before Linux 5.15 its own bound holds, four for
// each processor.
func (r *ring) boundWorkers(n int) error {
	if _, _, err := r.r.IOWQMaxWorkers(uint32(n), uint32(n)); err != nil && !errors.Is(err, posix.EINVAL) {
		return err
	}
	return nil
}
