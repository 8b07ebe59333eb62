package ringo

import (
	"context"
	"slices"

	"ringo/internal/census"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
	"ringo/internal/watch"
	"ringo/stats"
)

// Info returns the loop's driver and place, and why they were chosen. Any goroutine may call it; it does not park.
func (l *Loop) Info() stats.Info {
	i := l.engine().Info().Info
	set := l.engine().Set()
	i.Run = set.Number()
	if set != nil {
		plan := &set.Config().Plan
		i.Plan, i.CPUs = plan.Why, slices.Clone(plan.Set(l.Index()))
	}
	return i
}

// Stats returns the loop's counters as of its last turn. Any goroutine may call it. Callers other than this loop's
// tasks wait for the loop's answer. If that takes 100 ms, or the calling task is cancelled, they get the last known
// values; see stats.Loop.Held.
func (l *Loop) Stats() stats.Loop { return census.StatsOf(l.engine()) }

// Tasks returns the loop's tasks that have not ended, in the order in which they began; tasks that have not begun come
// last. After the loop's end there are none.
//
// The loop answers in pieces, 256 tasks in a turn, so that tens of thousands of tasks don't hold it up. Each task is
// shown as of the turn of its piece, and tasks that begin or end meanwhile may be missing. Times are accurate to 17 ms.
//
// A loop that is held by a task does not answer. After 100 ms Tasks makes the list from the goroutines' stacks, which
// stops the program for some 6 µs for each goroutine. The list then has only names and states; the task that holds the
// loop is "running". If there are more than 16384 goroutines, the list has one entry, of state "unknown", that says so.
//
// Any goroutine may call Tasks, and waits for the answer; a task parks, even if it is cancelled.
func (l *Loop) Tasks() []stats.Task {
	me, _ := loop.Current()
	if me == nil || !me.World().Beside() { // where nothing holds a loop for long
		return l.tasks()
	}
	var tasks []stats.Task
	me.Shield()
	defer me.Unshield()
	me.OffloadIn(lane.StandIns, func(context.Context) error {
		tasks = l.tasks()
		return nil
	})
	return tasks
}

// tasks is Tasks for ordinary goroutines.
func (l *Loop) tasks() []stats.Task {
	found := census.Tasks(l.engine())
	tasks := make([]stats.Task, len(found))
	names := namesOf{}
	for i := range found {
		tasks[i] = names.info(&found[i])
	}
	return tasks
}

// namesOf caches the names and places of functions: many tasks run the same few functions.
type namesOf map[code.Func]struct{ name, at string }

func (n namesOf) info(t *census.TaskInfo) stats.Task {
	f, ok := n[t.Code]
	if !ok {
		f.name, f.at = t.Code.Name(), t.Code.Place()
		n[t.Code] = f
	}
	i := stats.Task{
		ID: uint64(t.ID), Loop: t.Loop, Name: f.name, At: f.at, Began: t.Began, State: t.State.String(), Since: t.Since,
		Canceled: t.Canceled, Background: t.Background, Stack: t.Stack, Wait: t.Held, WaitOp: t.Wait.Op,
		FD:   int(t.Wait.FD),
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

// Holds returns where the loop has been held since it began, the longest total first, without holds that still last. It
// is empty if Config.HoldLimit is negative, and stays available after the loop's end. Any goroutine may call it; it
// does not park.
func (l *Loop) Holds() []stats.Hold { return watch.Holds(l.engine()) }

// Handles lists the open handles of the loop, youngest first: connections, listeners, datagram sockets, pollables. The
// loop makes the list in pieces, 64 handles in a turn, so handles that open or close meanwhile may be missing. The list
// is empty if the loop has ended or does not answer within 100 ms. Any goroutine may call it and waits for the list; a
// task parks, and gets an empty list if it is cancelled.
func (l *Loop) Handles() []stats.Handle {
	var all []stats.Handle
	if !census.EachHandle(l.engine(), func(i *census.HandleInfo) { all = append(all, handleOf(i)) }) {
		return nil
	}
	return all
}

func handleOf(i *census.HandleInfo) stats.Handle {
	local, remote := i.Ends()
	return stats.Handle{
		Kind: i.Kind, Network: i.Network, State: i.State, FD: int(i.FD), Local: local, Remote: remote,
		Reading: i.In, Writing: i.Out, Age: i.Age, Unread: i.Unread, Unsent: i.Unsent, Leases: i.Leases,
	}
}
