// Package open opens a driver: the one that was asked for, or the best that this kernel allows. Info says why.
package open

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"ringo/internal/driver"
	"ringo/internal/driver/soft"
	"ringo/internal/driver/uring"
	"ringo/internal/mask"
	"ringo/internal/offload"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// The names of drivers, as in Config.Driver and RINGO_DRIVER.
const (
	Auto      = "auto"
	Uring     = "uring"
	Epoll     = "epoll"
	Kqueue    = "kqueue"
	Poll      = "poll"
	Select    = "select"
	UringPoll = "uring-poll"
)

// sim is the name in Info of a simulated world's driver. Only a world opens it, and no name does.
const sim = "sim"

// rungs are the drivers, better ones first.
var rungs = []rung{
	{Uring, uring.Open},
	{Epoll, soft.OpenEpoll},
	{Kqueue, soft.OpenKqueue},
	{Poll, soft.OpenPoll},
	{Select, soft.OpenSelect},
	{UringPoll, soft.OpenRing},
}

// rung is a driver that can be opened by its name.
type rung struct {
	name string
	open func(cfg driver.Config) (driver.Driver, error)
}

// step is a step of the ladder that auto goes down.
type step struct {
	name   string
	costly bool // take now what an earlier step refused because it costs more
}

// Names lists the names that Open accepts here. Check accepts kqueue everywhere: Open's error then says what it lacks.
func Names() []string {
	names := []string{Auto}
	for _, r := range rungs {
		if r.name != Kqueue || sys.HaveKqueue {
			names = append(names, r.name)
		}
	}
	return names
}

// Check returns an error that lists the names if no system has a driver with this name.
func Check(name string) error {
	if name == Auto || rungOf(name) != nil {
		return nil
	}
	if name == sim {
		return errors.New("driver \"sim\" runs only in worlds in memory, which sim.Run makes (package sim)")
	}
	return fmt.Errorf("unknown driver %q: want %s", name, strings.Join(Names(), ", "))
}

// Open opens a driver on the calling thread, to which the caller must be locked. auto takes the first that works here
// of uring, epoll, poll and select, or on Darwin and the BSDs of kqueue, poll and select; Info says why it did not take
// those before it. If a driver that was asked for does not work, the error names the step that failed and the likely
// cause.
func Open(name string, cfg driver.Config) (driver.Driver, error) {
	m, err := mask.Env()
	if err != nil {
		return nil, err
	}
	cfg.Without = append(m.Names(), cfg.Without...)
	return With(func(cfg driver.Config) (driver.Driver, error) { return openNamed(name, cfg) }, cfg)
}

// With opens a driver by inner, which need not be one of this package's, through the wrapper that Through has set.
func With(inner Opener, cfg driver.Config) (driver.Driver, error) {
	if wrap := through.Load(); wrap != nil {
		return (*wrap)(inner)(cfg)
	}
	return inner(cfg)
}

// through is the wrapper that Through has set.
var through atomic.Pointer[func(Opener) Opener]

// Opener opens a driver on the calling thread.
type Opener = func(cfg driver.Config) (driver.Driver, error)

// Through makes wrap replace the opener of each driver that is opened before undo is called. It is for tests; no other
// test may open drivers at that time.
func Through(wrap func(Opener) Opener) (undo func()) {
	through.Store(&wrap)
	return func() { through.Store(nil) }
}

func openNamed(name string, cfg driver.Config) (driver.Driver, error) {
	if name == Auto {
		return openAuto(cfg)
	}
	cfg.Reason = cmp.Or(cfg.Reason, "asked for")
	if err := Check(name); err != nil {
		return nil, err
	}
	return rungOf(name).try(cfg)
}

// rungOf returns the rung with a name, or nil.
func rungOf(name string) *rung {
	for i := range rungs {
		if rungs[i].name == name {
			return &rungs[i]
		}
	}
	return nil
}

// NativeAIO returns nil if drivers without a ring can use the kernel's AIO for files that are open with O_DIRECT, else
// the reason why not.
func NativeAIO() error {
	m, err := mask.Env()
	if err != nil {
		return err
	}
	if slices.Contains(m.Names(), "aio") {
		return errors.New("io_setup: " + mask.Variable + " says so")
	}
	return offload.ProbeAIO()
}

// Distrust is a feature that the kernel has and that the uring driver does not use.
type Distrust = uring.Distrust

// Distrusted lists what is broken on a kernel. system is its name in a report of package uring.
func Distrusted(system string) []Distrust { return uring.Distrusted(system) }

// try opens the rung's driver, unless it is masked.
func (r *rung) try(cfg driver.Config) (driver.Driver, error) {
	if slices.Contains(cfg.Without, r.name) {
		return nil, &driver.SetupError{Driver: r.name, Step: "open", Err: posix.ENOSYS,
			Hint: mask.Variable + " says so"}
	}
	return r.open(cfg)
}

// openAuto goes down the ladder. It stops at a shortage of descriptors: a worse driver needs as many, and would hide
// it.
func openAuto(cfg driver.Config) (driver.Driver, error) {
	cfg.Shrink = true
	cfg.Reason = bestReason
	var refused refusals
	costly := false
	for _, step := range ladder {
		if step.costly && !costly {
			continue
		}
		cfg.Worth = !step.costly
		d, err := rungOf(step.name).try(cfg)
		if err == nil {
			return d, nil
		}
		refused = append(refused, err)
		costly = costly || errors.Is(err, driver.ErrCostly)
		if errors.Is(err, posix.EMFILE) || errors.Is(err, posix.ENFILE) {
			break
		}
		cfg.Reason = refused.Error()
	}
	return nil, refused
}

// refusals are the errors of rungs. Error joins them in one line.
type refusals []error

func (r refusals) Error() string {
	texts := make([]string, len(r))
	for i, err := range r {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (r refusals) Unwrap() []error { return r }
