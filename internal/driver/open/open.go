// Package open chooses a driver: the one asked for, or the best that this kernel
// allows, with the reason kept.
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

// sim is the driver that Info names in a simulated world. It has no kernel to run on but a world's: no name opens it.
const sim = "sim"

// rungs are the drivers, the better ones first.
var rungs = []rung{
	{Uring, uring.Open},
	{Epoll, soft.OpenEpoll},
	{Kqueue, soft.OpenKqueue},
	{Poll, soft.OpenPoll},
	{Select, soft.OpenSelect},
	{UringPoll, soft.OpenRing},
}

// rung is one way to have a driver.
type rung struct {
	name string
	open func(cfg driver.Config) (driver.Driver, error)
}

// step is one of the ladder that auto goes down.
type step struct {
	name   string
	costly bool // what was refused because it costs more
}

// Names lists what can be asked for. Who asks on Linux for the one that is other systems' is told so by Open.
func Names() []string {
	names := []string{Auto}
	for _, r := range rungs {
		if r.name != Kqueue || sys.HaveKqueue {
			names = append(names, r.name)
		}
	}
	return names
}

// Check says whether there is such a driver, here or elsewhere, and what is wrong if not.
func Check(name string) error {
	if name == Auto || rungOf(name) != nil {
		return nil
	}
	if name == sim {
		return errors.New("driver \"sim\" is not for the asking: a world in memory is made by sim.Run, of package sim")
	}
	return fmt.Errorf("unknown driver %q: want %s", name, strings.Join(Names(), ", "))
}

// Open makes a driver on the calling thread, which the caller has locked. auto takes the first that works here of
// uring, epoll, poll and select, or on Darwin and the BSDs of kqueue, poll and select, and says what kept it from those
// before. A driver that was asked for and can't be had is an error that names the step and the likely cause.
func Open(name string, cfg driver.Config) (driver.Driver, error) {
	m, err := mask.Env()
	if err != nil {
		return nil, err
	}
	cfg.Without = append(m.Names(), cfg.Without...)
	return With(func(cfg driver.Config) (driver.Driver, error) { return openNamed(name, cfg) }, cfg)
}

// With opens a driver that is not of this package's, by what Through was given, too.
func With(inner Opener, cfg driver.Config) (driver.Driver, error) {
	if wrap := through.Load(); wrap != nil {
		return (*wrap)(inner)(cfg)
	}
	return inner(cfg)
}

// through is what Through was given.
var through atomic.Pointer[func(Opener) Opener]

// Opener opens a driver on the calling thread.
type Opener = func(cfg driver.Config) (driver.Driver, error)

// Through has all drivers opened by what wrap makes of the opener, until undo is called.
// It is for tests, of which no other must open drivers meanwhile.
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

// rungOf gives the rung of a name, or nil.
func rungOf(name string) *rung {
	for i := range rungs {
		if rungs[i].name == name {
			return &rungs[i]
		}
	}
	return nil
}

// NativeAIO says what keeps drivers without a ring from using the kernel's AIO for
// files that are open with O_DIRECT; nil if nothing does.
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

// Distrust is a thing that the kernel has and that the uring driver does without.
type Distrust = uring.Distrust

// Distrusted lists what is broken on the kernel that a report of package uring calls
// system.
func Distrusted(system string) []Distrust { return uring.Distrusted(system) }

// try opens the rung's driver, unless it is masked.
func (r *rung) try(cfg driver.Config) (driver.Driver, error) {
	if slices.Contains(cfg.Without, r.name) {
		return nil, &driver.SetupError{Driver: r.name, Step: "open", Err: posix.ENOSYS,
			Hint: mask.Variable + " says so"}
	}
	return r.open(cfg)
}

// openAuto goes down the ladder. A shortage of descriptors is no reason to go on: a
// worse driver would hide it and need as many.
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

// refusals are the errors of one rung after the other, in one line.
type refusals []error

func (r refusals) Error() string {
	texts := make([]string, len(r))
	for i, err := range r {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (r refusals) Unwrap() []error { return r }
