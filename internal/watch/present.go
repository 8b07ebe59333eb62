package watch

import (
	"runtime"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/peek"
	"ringo/internal/rt/stacks"
	"ringo/stats"
)

// PresentHold returns what holds the loop now; held is false if nothing does, or not for as long as census.HeldFor
// requires. It does not ask the loop. Task is empty if only all stacks could show the task, and there are too many
// goroutines to take them. G.
func PresentHold(l *loop.Loop) (h stats.Hold, held bool) {
	if l.Ended() {
		return stats.Hold{}, false
	}
	turn, lasts := l.Look().TurnBegan(), census.HeldFor(l)
	if lasts == 0 {
		return stats.Hold{}, false
	}
	state, stack := heldBy(l)
	if l.Look().TurnBegan() != turn {
		return stats.Hold{}, false // the turn has ended meanwhile
	}
	at := stacks.Place{}
	if stack.Known() {
		at = stack.Place()
	} else {
		state = holdUnseen
	}
	return stats.Hold{Task: at.Task, At: at.At, In: at.In, State: state, Times: 1, Total: lasts, Longest: lasts}, true
}

// heldBy returns the state and the stack of what holds a loop.
func heldBy(l *loop.Loop) (state string, at stacks.Stack) {
	if peeks() {
		var peeker peek.Peeker
		var kinds stacks.Kinds
		if g, _, ok := peek.Mark(l.Mark()); ok && g != 0 {
			does, pcs := peeker.At(g)
			at.PCs = pcs
			switch {
			case does == peek.Waiting && len(pcs) > 0 && !kinds.Switched(&at) && !kinds.Collects(&at):
				return holdBlocked, at
			case does == peek.Syscall && len(pcs) > 0:
				return holdSyscall, at
			}
		}
		at = stacks.Stack{}
	}
	if runtime.NumGoroutine() > census.StacksMax {
		return holdUnseen, at
	}
	t := stacks.Take()
	goid, _ := l.Look().Goroutine()
	g := t.Holder(goid)
	if g == nil {
		return holdUnseen, at
	}
	switch {
	case g.State() == "syscall":
		state = holdSyscall
	case g.Waits():
		state = holdBlocked
	default:
		state = holdRunning
	}
	for ; g != nil; g = t[g.By] { // an iterator's coroutine: the task is further down
		at.Functions = append(at.Functions, g.Functions()...)
		if g.By == 0 || g.By == goid {
			break
		}
	}
	return state, at
}
