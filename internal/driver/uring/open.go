package uring

import (
	"errors"
	"slices"
	"strings"
	"time"

	"ringo/internal/driver"
	"ringo/internal/mask"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/seam"
	"ringo/internal/sys"
	"ringo/uring"
)

// EntriesMin is the least number of entries that Config.Shrink goes down to.
const EntriesMin = 32

// Open opens a ring on the calling thread. The caller has locked itself to the thread, and must stay so until Close.
// The error is a *driver.SetupError.
func Open(cfg driver.Config) (driver.Driver, error) {
	m, err := mask.Parse(strings.Join(cfg.Without, ","))
	if err != nil {
		return nil, setupError(err)
	}
	report, err := probe(m)
	if err != nil {
		return nil, setupError(err)
	}
	if err := usable(report); err != nil {
		return nil, setupError(err)
	}
	for _, check := range asked {
		if err := report.Require(check); shortage(err) && !spared(check, err) {
			return nil, setupError(err)
		}
	}
	return openOn(cfg, &uring.Config{SQPoll: cfg.SQPoll > 0, SQPollIdle: cfg.SQPoll}, seam.Seam{Mask: m}, report)
}

// openOn opens the driver on a ring with the configuration rc, on the kernel of the seam, which offers what the report
// says.
func openOn(cfg driver.Config, rc *uring.Config, s seam.Seam, report *uring.Report) (driver.Driver, error) {
	r, err := openRing(cfg, seam.Put(rc, s))
	if err != nil {
		return nil, setupError(err)
	}
	if cfg.SQPoll > 0 && r.Features()&uring.FeatSQPollNonfixed == 0 {
		r.Close()
		return nil, setupError(&uring.FeatureError{Name: "SQPOLL_NONFIXED", Since: "5.11"})
	}
	// Without DEFER_TASKRUN each arrival interrupts the loop, whatever it is doing, and epoll costs less.
	if cfg.Worth && cfg.SQPoll == 0 && r.Flags()&uring.SetupDeferTaskrun == 0 {
		r.Close()
		return nil, &driver.SetupError{Driver: "uring", Err: driver.ErrCostly,
			Hint: "no DEFER_TASKRUN, which came with Linux 6.1; asked for by name it is taken all the same"}
	}
	d := &ring{r: r, slab: cfg.Slab, now: cfg.Now, rest: time.Sleep, pool: cfg.Ring, cqes: make([]uring.CQE, 256),
		wakeFD: -1, pipe: -1, reason: cfg.Reason, fault: cfg.Fault, outbox: cfg.Outbox}
	d.pause = uring.NewTimespec(pause)
	if err := d.equip(cfg, report, releaseOf(report.System, s.Mask)); err != nil {
		r.Close()
		if d.wakeFD >= 0 {
			sys.Close(d.wakeFD)
		}
		if d.lends != nil { // the pool is the next driver's
			d.lends.Close()
			d.pool.Reclaim(nil)
		}
		return nil, setupError(err)
	}
	return d, nil
}

// pause is the time between two tries of a send for which readiness tells nothing.
const pause = 5 * time.Millisecond

// equip sets up what the driver needs beside the ring.
func (d *ring) equip(cfg driver.Config, report *uring.Report, kernel release) error {
	if d.wakeFD = sys.Eventfd(); d.wakeFD < 0 {
		return &uring.SetupError{Step: "eventfd", Hint: noDescriptors, Err: posix.Errno(-d.wakeFD)}
	}
	d.extArg = report.Require(uring.CheckExtArg) == nil
	works := func(check string) bool { return report.Require(check) == nil && brokenOn(check, kernel) == nil }
	// Only entries can fill lent buffers, so each op that selects one must have an entry.
	if cfg.Ring != nil && works(lending[0]) && works(lending[1]) {
		// Locked memory may suffice for the ring and not for the buffer ring; then the pool is not lent.
		if err := d.lend(); err != nil && !errors.Is(err, posix.ENOMEM) {
			return err
		}
	}
	d.limits = works(uring.CheckRecvLimit)
	switch {
	case d.r.Flags()&uring.SetupSQPoll != 0, !report.Ops.Has(uring.OpSend):
	case works(uring.CheckSilentSend):
		d.sending = bySilences
	default:
		d.sending = byEntries
	}
	err := d.choose(&offer{ops: report.Ops, check: func(name string) bool {
		switch {
		case slices.Contains(lending, name) && d.lends == nil, name == uring.CheckPollMultishot && d.interrupted():
			return false
		}
		return works(name)
	}, blame: func(name string) string {
		if !slices.Contains(lending, name) {
			return name
		}
		for _, check := range lending { // buffers are lent only if all of these work
			if !works(check) {
				return check
			}
		}
		return name
	}})
	d.features = d.describe()
	return err
}

// interrupted reports whether completions come while the loop is doing something else: each with an interrupt, or with
// COOP_TASKRUN at the loop's next system call. Then the driver uses no multishot polls: they report every arrival,
// which from peers as fast as the loop is more than a turn can take in.
func (d *ring) interrupted() bool { return d.r.Flags()&uring.SetupDeferTaskrun == 0 }

// openRing opens the ring, with fewer entries if memory is short and cfg.Shrink allows that.
func openRing(cfg driver.Config, rc *uring.Config) (*uring.Ring, error) {
	for entries := max(cfg.Entries, uring.EntriesMin); ; entries /= 2 {
		r, err := patiently(func() (*uring.Ring, error) { return uring.Open(entries, rc) })
		if !errors.Is(err, posix.ENOMEM) || !cfg.Shrink || entries/2 < EntriesMin {
			return r, err
		}
	}
}

// patiently tries more than once while memory is short: the kernel returns what a closed ring was charged with a
// delay.
func patiently[T any](ask func() (T, error)) (got T, err error) {
	const tries = 5
	for try := range tries {
		if got, err = ask(); !errors.Is(err, posix.ENOMEM) {
			return got, err
		}
		time.Sleep(time.Millisecond << try)
	}
	return got, err
}

// lend registers a buffer ring and gives it the pool's buffers.
func (d *ring) lend() error {
	entries := 2
	for entries < d.pool.Max() {
		entries *= 2
	}
	br, err := patiently(func() (*uring.BufRing, error) { return d.r.RegisterBufRing(op.RingGroup, entries) })
	if err != nil {
		return err
	}
	d.lends = br
	d.pool.Lend(br)
	return nil
}

// describe returns the names of the kernel's features that the ring uses.
func (d *ring) describe() []string {
	features := strings.Split(strings.ToLower(d.r.Flags().String()), "|")
	if d.extArg {
		features = append(features, uring.CheckExtArg)
	}
	if d.lends != nil {
		features = append(features, uring.CheckBufRing, uring.CheckRecvMultishot)
	}
	if d.ways[op.Accept][index(op.Multishot)].How == op.ByEntry {
		features = append(features, uring.CheckAcceptMultishot)
	}
	if d.limits {
		features = append(features, uring.CheckRecvLimit)
	}
	if d.sending == bySilences {
		features = append(features, uring.CheckSilentSend)
	}
	if d.edges {
		features = append(features, uring.CheckPollMultishot)
	}
	return features
}

const noDescriptors = "out of descriptors: raise RLIMIT_NOFILE (ulimit -n)"

// setupError turns err into a *driver.SetupError, with the step and hint of the ring's error if it is one.
func setupError(err error) error {
	var s *uring.SetupError
	if errors.As(err, &s) {
		return &driver.SetupError{Driver: "uring", Step: s.Step, Hint: s.Hint, Err: s.Err}
	}
	hint := "an older kernel"
	if m, _ := mask.Env(); m != nil {
		hint += ", or what " + mask.Variable + " takes away"
	}
	switch {
	case errors.Is(err, posix.EMFILE):
		hint = noDescriptors
	case errors.Is(err, posix.ENFILE):
		hint = "the system is out of descriptors: raise fs.file-max"
	case errors.Is(err, posix.ENOMEM):
		hint = "raise RLIMIT_MEMLOCK (ulimit -l)"
	case shortage(err):
		hint = "the kernel lacks memory"
	}
	return &driver.SetupError{Driver: "uring", Step: "probe", Err: err, Hint: hint}
}
