package ringo

import (
	"time"

	"ringo/internal/loop"
)

// Hold is what has held a loop in one place for longer than Config.HoldLimit at a time: a task that waited for
// something but Ringo, or computed. Its String is a line for people.
//
// Where a task is while it holds its loop is looked at from outside, every half of the limit. So the times are as exact
// as that, and the first hold after a quiet time may end before anybody has looked: its State is "not seen".
type Hold struct {
	// Task is the task's function, such as main.handle, and At the place in it from which it made the call, such as
	// store.go:81. Task is empty for what was no single task's, and "others" for all that came when 100 places of a
	// loop were known.
	Task string
	At   string
	// In is what it has called, the innermost function first, up to four: sync.(*Mutex).Lock <- main.get. It is empty
	// if it computes in its own function.
	In string
	// State is "running" if the task computed; "blocked" if it waited for what Go's runtime has: a sync.Mutex, a
	// channel, time.Sleep; "system call" if it slept in the kernel. What is nobody's fault has other words, and no
	// Task: "runnable" if the machine, Go's scheduler or the garbage collector did not run the loop, "shared" if many
	// tasks did a little each, and "not seen".
	State   string
	Times   uint64        // how often
	Total   time.Duration // how long in all
	Longest time.Duration // the longest of them
}

// String says it in a line.
func (h Hold) String() string { return loop.Hold(h).String() }

// Holds gives what has held the loop since it began, by place, what took longest in all first. Those that last are not
// among them. It is empty if Config.HoldLimit is negative. After the loop's end it gives what there was. Any goroutine
// may call it, and it does not park.
func (l *Loop) Holds() []Hold {
	all := l.engine().Holds()
	holds := make([]Hold, len(all))
	for i, h := range all {
		holds[i] = Hold(h)
	}
	return holds
}
