package loop

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/rt/sched"
)

// What callers that may be in a simulated world use in place of what reaches the system's kernel, a goroutine, the
// real clock or real chance. Outside of a world each is what it stands for.

// Call is driver.Call by the kernel that Kernel gives. G.
func Call(o *op.Op) int32 {
	if l, _ := Current(); l.Staged() {
		return l.cfg.Call(o)
	}
	return driver.Call(o)
}

// Rand is a random number. G.
func Rand() uint64 {
	if l, _ := Current(); l.Staged() {
		return l.cfg.Stage.Rand()
	}
	return rand.Uint64()
}

// World is the loop that the caller runs on if that is in a simulated world, and nil if not. G.
func World() *Loop {
	if l, _ := Current(); l.Staged() {
		return l
	}
	return nil
}

// Stranger is ErrLeft if the caller is no task on the host of l, which is in a simulated world; the stage is told what
// it has called. G.
func (l *Loop) Stranger(what string) error {
	if me, _ := Current(); me != nil && me.kernel == l.kernel {
		return nil
	}
	return l.cfg.Stage.leaves(what)
}

// ErrCrashed is the error of calls on what was open on a simulated host when that crashed: its number may be another's
// since.
var ErrCrashed = errors.New("ringo: its simulated host has crashed since it was opened")

// StrangerTo is why the caller may not use what was opened on l, which is in a simulated world: Stranger, or a crash
// since. G.
func (l *Loop) StrangerTo(what string) error {
	if err := l.Stranger(what); err != nil {
		return err
	}
	if l.state.killed {
		return ErrCrashed
	}
	return nil
}

// Astray is ErrLeft if the caller gives the turns of a simulated world, and is in none of its tasks: the system's
// kernel would answer it. The stage is told. G.
func Astray(what string) error {
	if p := stages.list.Load(); p == nil || len(*p) == 0 {
		return nil
	}
	if l, _ := Current(); l != nil {
		return nil
	}
	if s := stageHere(sched.CurrentSeat()); s != nil {
		return s.leaves(fmt.Sprintf("%s, for which a host is wanted,", what))
	}
	return nil
}
