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

// World is what loops run in: this machine, or a simulated world, which package sim/stage implements. It has all in
// which they differ beside the kernel and the driver: what runs beside the loops, which callers are allowed, time and
// chance. ADR 71.
type World interface {
	// Beside reports whether anything runs beside the loops. If so, each loop has a thread of its own, and goroutines
	// may wait in place of tasks. If not, all loops take turns on one thread, and waits that goroutines would do
	// elsewhere happen in the tasks.
	Beside() bool
	// HasTurn reports whether the caller runs on the thread of a loop that has not ended, in a turn of that loop. G.
	HasTurn(l *Loop) bool
	// StandsStill reports whether the caller gives the loops their turns, so that all of them stand still. G.
	StandsStill() bool
	// Reaches reports whether the caller may send mail to the loops. If not, it records that in the world. G.
	Reaches() bool
	// Outsider returns why the caller may not use what is open on a loop, and records the call, what, in the world;
	// nil if the caller may. G.
	Outsider(l *Loop, what string) error
	// Passage returns why handles of this process can't enter the world, and those of the world can't leave it; nil if
	// both are one. G.
	Passage() error

	// SchedYield calls Go's scheduler now and then. The loop calls it once a turn.
	SchedYield(l *Loop)
	// Exits is called when a task ends itself by runtime.Goexit.
	Exits(l *Loop)
	// Offload calls run in the task itself, and reports here, if no goroutine may make the call; if not, the caller
	// offloads it. T, may park.
	Offload(l *Loop, in lane.Lane, run func()) (here bool, err error)

	// Moment is Loop.Moment. G.
	Moment(l *Loop, t time.Time) int64
	// After calls fn when d has passed, on no loop.
	After(d time.Duration, fn func()) (stop func() bool)
	// AfterContext is context.AfterFunc. fn must not wait; where nothing runs beside the loops it is called between
	// turns. G.
	AfterContext(ctx context.Context, fn func()) (stop func() bool)
	// WithCancel is context.WithCancel for a base that never ends, and WithDeadline is context.WithDeadline.
	WithCancel(base context.Context) (context.Context, context.CancelFunc)
	WithDeadline(l *Loop, base context.Context, at time.Time) (context.Context, context.CancelFunc)
	// Join derives from base, which has the values of one and other, a context that ends when the first of the two
	// does. It returns nil if package context can do that.
	Join(l *Loop, base, one, other context.Context) (context.Context, context.CancelFunc)

	// Call makes the plain call of an op on the kernel of the caller's loop.
	Call(o *op.Op) int32
	// Names returns the world's look-up of host names, which may park its task; nil if package net looks them up.
	Names() func(l *Loop, host string) ([]netip.Addr, error)
	// Rand returns a random number. G.
	Rand() uint64
}

// World returns the loop's world. G.
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
	// ErrCrashed is the error of calls on what was open on a simulated host when it crashed: the number of the
	// descriptor may belong to another one since.
	ErrCrashed = errors.New("ringo: its simulated host has crashed since it was opened")
)

// StrangerTo returns why the caller may not use what was opened on l for tasks only; l may have ended. The caller may
// be an Outsider, or a goroutine around a simulated world, or the simulated host may have crashed. G.
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

// Call is driver.Call on the kernel that Kernel returns. G.
func Call(o *op.Op) int32 {
	l, _ := Current()
	if l == nil && Astray("a plain call") != nil {
		return -sys.EPERM
	}
	return l.World().Call(o)
}

// Rand returns a random number of the caller's world. G.
func Rand() uint64 {
	l, _ := Current()
	if l == nil {
		if g := giverAround(); g != nil {
			return g.Rand()
		}
	}
	return l.World().Rand()
}

// Home returns the loop that the caller runs on, if what it opens there belongs to a simulated world; nil if it
// belongs to this process. G.
func Home() *Loop {
	if l, _ := Current(); l.World().Passage() != nil {
		return l
	}
	return nil
}

// Crashed reports whether the caller is a task whose host has crashed: only its deferred functions still run. G.
func Crashed() bool {
	l, _ := Current()
	return !l.unmade() && l.life.killed
}

// Killed reports whether the loop must end at once. Its driver then waits for nothing.
func (l *Loop) Killed() bool { return l.life.killed }

// Outwait makes a loop that ends wait until done reports true, and lets other threads and loops go on meanwhile: they
// may have what the loop has to close. It waits for HardStop at most, since a task that a broken driver has lost makes
// no progress. A killed loop does not wait.
func (l *Loop) Outwait(done func() bool) {
	for end := l.Elapsed() + int64(l.cfg.HardStop); !done() && !l.life.killed && l.Elapsed() < end; {
		l.drv.Wait(driver.Poll, &l.done)
	}
}
