package uring

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"ringo/internal/driver"
	"ringo/internal/sys"
	"ringo/uring"
)

// EntriesMin is the least that Shrink goes down to.
const EntriesMin = 32

// Open makes a ring on the calling thread, to which the caller has locked itself
// and stays locked until Close. The error is a *driver.SetupError.
func Open(cfg driver.Config) (driver.Driver, error) {
	report, err := probe()
	if err != nil {
		return nil, setupError(err)
	}
	if err := report.Require(needed...); err != nil {
		return nil, setupError(err)
	}
	mayLend := report.Require(lending...)
	if shortage(mayLend) {
		return nil, setupError(mayLend)
	}
	without := func(name string) bool { return slices.Contains(cfg.Without, name) }
	r, err := openRing(cfg, &uring.Config{Without: flagsOf(cfg.Without), WithoutRingFD: without(uring.CheckRingFD)})
	if err != nil {
		return nil, setupError(err)
	}
	d := &ring{r: r, slab: cfg.Slab, now: cfg.Now, pool: cfg.Ring, cqes: make([]uring.CQE, 256), wakeFD: -1, reason: cfg.Reason}
	d.extArg = r.Features()&uring.FeatExtArg != 0 && !without(uring.CheckExtArg)
	if d.wakeFD = sys.Eventfd(); d.wakeFD < 0 {
		r.Close()
		return nil, &driver.SetupError{Driver: "uring", Step: "eventfd", Err: syscall.Errno(-d.wakeFD)}
	}
	if cfg.Ring != nil && mayLend == nil && !slices.ContainsFunc(lending, without) {
		if err := d.lend(); err != nil {
			r.Close()
			sys.Close(d.wakeFD)
			return nil, setupError(err)
		}
	}
	d.features = d.describe()
	return d, nil
}

// openRing sets the ring up, with fewer entries if memory is short and the
// caller allows it. The kernel gives back what a closed ring was charged only
// some time later, so a size is asked for more than once.
func openRing(cfg driver.Config, rc *uring.Config) (*uring.Ring, error) {
	const tries = 5
	for entries := max(cfg.Entries, uring.EntriesMin); ; entries /= 2 {
		var err error
		for try := range tries {
			var r *uring.Ring
			if r, err = uring.Open(entries, rc); err == nil {
				return r, nil
			}
			if !errors.Is(err, syscall.ENOMEM) {
				return nil, err
			}
			time.Sleep(time.Millisecond << try)
		}
		if !cfg.Shrink || entries/2 < EntriesMin {
			return nil, err
		}
	}
}

// lend registers the buffer ring and gives it the pool's buffers.
func (d *ring) lend() error {
	entries := 2
	for entries < d.pool.Max() {
		entries *= 2
	}
	br, err := d.r.RegisterBufRing(bufGroup, entries)
	if err != nil {
		return err
	}
	d.lends = br
	d.pool.Lend(br, bufGroup)
	return nil
}

// describe lists what of the kernel's offer the ring uses.
func (d *ring) describe() []string {
	features := strings.Split(strings.ToLower(d.r.Flags().String()), "|")
	if d.extArg {
		features = append(features, uring.CheckExtArg)
	}
	if d.lends != nil {
		features = append(features, uring.CheckBufRing, uring.CheckRecvMultishot)
	}
	return append(features, uring.CheckAcceptMultishot, uring.CheckPollMultishot)
}

// flagsOf finds the setup flags among the names of features to do without.
func flagsOf(names []string) (f uring.SetupFlags) {
	for bit := range 32 {
		flag := uring.SetupFlags(1) << bit
		if slices.Contains(names, strings.ToLower(flag.String())) {
			f |= flag
		}
	}
	return f
}

// setupError gives the driver's error the step and hint of the ring's.
func setupError(err error) error {
	var s *uring.SetupError
	if errors.As(err, &s) {
		return &driver.SetupError{Driver: "uring", Step: s.Step, Hint: s.Hint, Err: s.Err}
	}
	hint := "an older kernel"
	switch {
	case errors.Is(err, syscall.EMFILE):
		hint = "RLIMIT_NOFILE"
	case errors.Is(err, syscall.ENFILE):
		hint = "fs.file-max"
	case errors.Is(err, syscall.ENOMEM):
		hint = "RLIMIT_MEMLOCK"
	}
	return &driver.SetupError{Driver: "uring", Step: "probe", Err: err, Hint: hint}
}
