package ringo

import (
	"context"
	"time"

	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// TaskInfo is a task as it was when Loop.Tasks looked at it.
type TaskInfo struct {
	// ID is the task's number among those of its loop, in order of their beginning, from 1 on, and anew after four
	// billion. 0: it has not begun, or its loop is held and it has no name.
	ID   uint64
	Loop int    // the loop's Index
	Name string // what GoNamed has called it, else the function that it runs: "main.(*server).handle"
	At   string // "/src/store/main.go:81", where that function begins; "" of a method value

	Began time.Time // zero if it has not
	// State is "new": it has not begun; "ready": what it waited for has come, or it has just begun, and it runs when
	// its turn comes; "running": it holds its loop; "yielded": it has let others run, and is ready again; "parked": it
	// waits; "unknown": its loop is held.
	State string
	// Since is how long ago it parked, or if it has not parked yet, began.
	Since    time.Duration
	Canceled bool // all its waits fail
	Stack    int  // the bytes of its stack; 0 if that can't be told

	// Wait says what a parked task waits for, in a line for people: "recv, fd 12, peer 10.0.0.5:4411". Of one whose
	// loop is held it says how the loop is. What is in it is in the following, too.
	Wait   string
	WaitOp string    // "recv", "Sleep", "Mutex.Lock"
	FD     int       // the descriptor; -1 for none
	Peer   string    // of the connection; "" for none
	Until  time.Time // when the wait ends by itself, by a deadline or a time; zero: never

	// Holder is whom it waits for: the task that has the Mutex, or that it joins. HolderLoop is that task's loop, or
	// one that it waits for; -1 for none. HolderID is the ID there; 0 where that is not known.
	Holder     string
	HolderLoop int
	HolderID   uint64
}

// Tasks are the loop's tasks that have not ended, in the order in which they began; those that have not begun are
// last. Coroutines that wait for work are no tasks. After the loop's end there are none.
//
// The loop answers in pieces, 256 tasks in a turn, so that tens of thousands of them don't stop it: each is as it was
// when its turn came, and those that begin or end meanwhile may be in the list or not. Times are to within 17 ms.
//
// A loop that is held by a task answers nothing. After a tenth of a second the list is made of the goroutines' stacks,
// for which the program is stopped for some 6 us for each: it has names and states, and the one that holds the loop is
// "running". With more than 16384 goroutines it has one entry, of state "unknown", that says so.
//
// Any goroutine may call it, and waits for the answer; a task parks, in which a cancel does not disturb it.
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
	found := l.engine().Tasks()
	tasks := make([]TaskInfo, len(found))
	names := namesOf{}
	for i := range found {
		tasks[i] = names.info(&found[i])
	}
	return tasks
}

// namesOf keeps names and places of functions, of which there are few.
type namesOf map[code.Func]struct{ name, at string }

func (n namesOf) info(t *loop.TaskInfo) TaskInfo {
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
