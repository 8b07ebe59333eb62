package ringo

import (
	"context"
	"time"

	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// TaskInfo describes a task as Loop.Tasks found it.
type TaskInfo struct {
	// ID numbers the tasks of a loop in the order in which they began, from 1; it wraps after four billion. It is 0 if
	// the task has not begun, or if its loop is held and it has no name.
	ID   uint64
	Loop int    // the loop's Index
	Name string // the name of GoNamed, or the function that it runs: "main.(*server).handle"
	At   string // "/src/store/main.go:81", where that function begins; "" of a method value

	Began time.Time // zero if it has not begun
	// State is "new": it has not begun; "ready": its wait has ended, or it has just begun, and it runs when its turn
	// comes; "running"; "yielded": it has let others run, and is ready again; "parked": it waits; "unknown": its loop
	// is held.
	State string
	// Since is how long ago it parked, or began if it has not parked yet.
	Since    time.Duration
	Canceled bool // all its waits fail
	Stack    int  // the size of its stack in bytes; 0 if unknown

	// Wait says what a parked task waits for, in a line for people: "recv, fd 12, peer 10.0.0.5:4411". If the loop is
	// held it describes the loop. The following fields have the same information.
	Wait   string
	WaitOp string    // "recv", "Sleep", "Mutex.Lock"
	FD     int       // the descriptor; -1 for none
	Peer   string    // of the connection; "" for none
	Until  time.Time // when the wait ends by itself; zero: never

	// Holder is the task that it waits for: the one that has the Mutex, or whose end it waits for. HolderLoop is the
	// Index of that task's loop, or of a loop that it waits for; -1 for none. HolderID is that task's ID; 0 if unknown.
	Holder     string
	HolderLoop int
	HolderID   uint64
}

// Tasks returns the loop's tasks that have not ended, in the order in which they began; those that have not begun come
// last. After the loop's end there are none.
//
// The loop answers in pieces, 256 tasks in a turn, so that tens of thousands of them don't stop it: each is shown as of
// that turn, and tasks that begin or end meanwhile may be missing. Times are accurate to 17 ms.
//
// A loop that is held by a task does not answer. After 100 ms the list is made from the goroutines' stacks, which stops
// the program for some 6 µs for each of them. It then has names and states only; the task that holds the loop is
// "running". With more than 16384 goroutines it has one entry, of state "unknown", that says so.
//
// Any goroutine may call it, and waits for the answer; a task parks, even if it is cancelled.
func (l *Loop) Tasks() []TaskInfo {
	me, _ := loop.Current()
	if me == nil || me.Staged() { // on a stage nothing holds a loop, whose tasks are asked as any are
		return l.tasks()
	}
	var tasks []TaskInfo
	me.Shield()
	defer me.Unshield()
	me.OffloadIn(loop.LaneStandIns, func(context.Context) error {
		tasks = l.tasks()
		return nil
	})
	return tasks
}

// tasks is Tasks for goroutines.
func (l *Loop) tasks() []TaskInfo {
	found := census.Tasks(l.engine())
	tasks := make([]TaskInfo, len(found))
	names := namesOf{}
	for i := range found {
		tasks[i] = names.info(&found[i])
	}
	return tasks
}

// namesOf keeps names and places of functions, of which there are few.
type namesOf map[code.Func]struct{ name, at string }

func (n namesOf) info(t *census.TaskInfo) TaskInfo {
	f, ok := n[t.Code]
	if !ok {
		f.name, f.at = t.Code.Name(), t.Code.Place()
		n[t.Code] = f
	}
	i := TaskInfo{
		ID: uint64(t.ID), Loop: t.Loop, Name: f.name, At: f.at, Began: t.Began, State: t.State.String(), Since: t.Since,
		Canceled: t.Canceled, Stack: t.Stack, Wait: t.Held, WaitOp: t.Wait.Op, FD: int(t.Wait.FD),
		Peer: t.Wait.PeerName(), Until: t.Until, HolderLoop: -1,
	}
	if t.Named != "" {
		i.Name = t.Named
	}
	if i.Wait == "" {
		i.Wait = t.Wait.String()
	}
	if on := &t.Wait.On; on.Known {
		i.Holder, i.HolderLoop, i.HolderID = on.String(), on.Loop, uint64(on.ID)
	}
	return i
}
