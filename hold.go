package ringo

import (
	"time"

	"ringo/internal/loop"
)

// A Hold is a place where tasks have held a loop for longer than Config.HoldLimit at a time, by blocking outside Ringo
// or by computing. Its String is a line for people.
//
// Holds are found by sampling the loop from outside, every half of the limit. Times are as exact as that, and the first
// hold after a quiet time may end before it is sampled: its State is "not seen".
type Hold struct {
	// Task is the task's function, such as main.handle, and At the place in it that made the call, such as store.go:81.
	// Task is empty if no single task was responsible, and "others" for holds at further places once a loop has
	// recorded 100.
	Task string
	At   string
	// In is the calls that it was in, innermost first, up to four: sync.(*Mutex).Lock <- main.get. It is empty if the
	// task computed in its own function.
	In string
	// State is "running" if the task computed; "blocked" if it waited in Go's runtime: for a sync.Mutex, a channel,
	// time.Sleep; "system call" if it slept in the kernel. Without a Task it is "runnable" if the machine, Go's
	// scheduler or the garbage collector did not run the loop, "shared" if many tasks did a little each, or "not seen".
	State   string
	Times   uint64        // how often
	Total   time.Duration // how long in all
	Longest time.Duration // the longest of them
}

// String describes the hold in a line.
func (h Hold) String() string { return loop.Hold(h).String() }

// Holds returns where the loop has been held since it began, the longest total first, without holds that still last. It
// is empty if Config.HoldLimit is negative, and stays available after the loop's end. Any goroutine may call it; it
// does not park.
func (l *Loop) Holds() []Hold {
	all := l.engine().Holds()
	holds := make([]Hold, len(all))
	for i, h := range all {
		holds[i] = Hold(h)
	}
	return holds
}
