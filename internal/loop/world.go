package loop

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"ringo/internal/driver"
	"ringo/internal/lane"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// World is what loops are in: this machine, or a simulated world, of which package sim/stage has the implementation. It
// is what differs between those beside the kernel and the driver: what runs beside the loops, who may call, time and
// chance. ADR 71.
type World interface {
	// Beside reports whether there is anything beside the loops. Then each has a thread of its own, and goroutines
	// wait in place of tasks. If not all of them take turns on one thread, and who would wait elsewhere does so here.
	Beside() bool
	// HasTurn reports whether the caller is on the thread of a loop that has not ended, while it is that loop's. G.
	HasTurn(l *Loop) bool
	// StandsStill reports whether the caller gives the loops their turns, so that all of them stand still. G.
	StandsStill() bool
	// Reaches reports whether the caller may send mail to the loops. If not the world is told. G.
	Reaches() bool
	// Outsider is why the caller may not use what is open on a loop; nil: it may. The world is told what it has
	// called. G.
	Outsider(l *Loop, what string) error
	// Passage is why what is open in this process can't get into the world, nor what is open there out; nil: all is
	// one. G.
	Passage() error

	// SchedYield goes through Go's scheduler now and then. It is asked once a turn.
	SchedYield(l *Loop)
	// Exits is told of a task that ends itself by runtime.Goexit.
	Exits(l *Loop)
	// Offload runs what was to be offloaded in the task itself, where no goroutine may, and then says so. T, may park.
	Offload(l *Loop, in lane.Lane, run func()) (here bool, err error)

	// Moment is Loop.Moment. G.
	Moment(l *Loop, t time.Time) int64
	// After has fn called when d has passed, on no loop.
	After(d time.Duration, fn func()) (stop func() bool)
	// AfterContext is context.AfterFunc, but that fn, which must not wait, is called between turns where there is
	// nothing beside the loops. G.
	AfterContext(ctx context.Context, fn func()) (stop func() bool)
	// WithCancel is context.WithCancel for a base that nothing ends, and WithDeadline context.WithDeadline.
	WithCancel(base context.Context) (context.Context, context.CancelFunc)
	WithDeadline(l *Loop, base context.Context, at time.Time) (context.Context, context.CancelFunc)
	// Join gives base, which has the values of two contexts, the end of that of them which ends first; nil: they are as
	// any.
	Join(l *Loop, base, one, other context.Context) (context.Context, context.CancelFunc)

	// Call makes the plain call of an op by the kernel of the caller's loop.
	Call(o *op.Op) int32
	// Names looks a host's name up in the world, in a task which may park; nil: package net does.
	Names() func(l *Loop, host string) ([]netip.Addr, error)
	// Rand is a random number. G.
	Rand() uint64
}

// World is the loop's. G.
func (l *Loop) World() World {
	if l.unmade() {
		return machine{}
	}
	return l.set.world
}

func (c *Config) world() World {
	if c.World == nil {
		return machine{}
	}
	return c.World
}

var (
	// ErrLeft is the error of calls on what belongs to a simulated world that don't come from a task on its host.
	ErrLeft = errors.New("ringo: only tasks on its own host may use what is in a simulated world")
	// ErrCrashed is the error of calls on what was open on a simulated host when that crashed: its number may be
	// another's since.
	ErrCrashed = errors.New("ringo: its simulated host has crashed since it was opened")
)

// StrangerTo is why the caller may not use what was opened on l for tasks alone, which has ended maybe: it is an
// Outsider, or a goroutine beside, or the simulated host has crashed since. G.
func (l *Loop) StrangerTo(what string) error {
	if err := l.World().Outsider(l, what); err != nil {
		return err
	}
	if err := Astray(what); err != nil {
		return err
	}
	if l.life.killed {
		return ErrCrashed
	}
	return nil
}

// Call is driver.Call by the kernel that Kernel gives. G.
func Call(o *op.Op) int32 {
	l, _ := Current()
	if l == nil && Astray("a plain call") != nil {
		return -sys.EPERM
	}
	return l.World().Call(o)
}

// Rand is a random number of the caller's world. G.
func Rand() uint64 {
	l, _ := Current()
	if l == nil {
		if g := giverAround(); g != nil {
			return g.Rand()
		}
	}
	return l.World().Rand()
}

// Home is the loop that the caller runs on if what it opens is of a simulated world; nil: it is this process's. G.
func Home() *Loop {
	if l, _ := Current(); l.World().Passage() != nil {
		return l
	}
	return nil
}

// Crashed reports whether the caller is a task whose host has crashed, of which deferred functions alone run. G.
func Crashed() bool {
	l, _ := Current()
	return !l.unmade() && l.life.killed
}

// Killed reports whether the loop is to end at once. Its driver waits for nothing then.
func (l *Loop) Killed() bool { return l.life.killed }

// Outwait has a loop that ends let the others go on until done, as those do who have what is to be closed; for
// HardStop at most, since a task that a broken driver has lost goes nowhere. A loop that is killed waits for nobody.
func (l *Loop) Outwait(done func() bool) {
	for end := l.Elapsed() + int64(l.cfg.HardStop); !done() && !l.life.killed && l.Elapsed() < end; {
		l.drv.Wait(driver.Poll, &l.done)
	}
}
