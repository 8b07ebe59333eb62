package stats

import (
	"fmt"
	"time"
)

// A Hold is a place where tasks have held a loop for longer than Config.HoldLimit at a time, by blocking outside Ringo
// or by computing. Its String describes it in one line for people.
//
// Holds are found by sampling the loop from outside, every half of the limit. Times are no more exact than that, and
// the first hold after a quiet time may end before it is sampled: its State is "not seen".
type Hold struct {
	// Task is the task's function, such as main.handle, and At the place in that function that made the call, such as
	// store.go:81. Task is empty if no single task was responsible, and "others" for holds at further places once a
	// loop has recorded 100.
	Task string
	At   string
	// In lists the calls that the task was in, innermost first, up to four: sync.(*Mutex).Lock <- main.get. It is empty
	// if the task computed in its own function.
	In string
	// State is "running" if the task computed; "blocked" if it waited in Go's runtime: for a sync.Mutex, a channel,
	// time.Sleep; "system call" if it slept in the kernel. If Task is empty, State is "runnable" if the machine, Go's
	// scheduler or the garbage collector did not run the loop, "shared" if many tasks did a little each, or "not seen".
	// Of others State is empty: they were in several.
	State   string
	Times   uint64        // number of holds here
	Total   time.Duration // their time in all
	Longest time.Duration // the longest of them
}

// String describes the hold in a line.
func (h Hold) String() string {
	long := fmt.Sprintf("%s, %v in all", times(h.Times), round(h.Total))
	if h.Times == 1 {
		long = fmt.Sprintf("once, for %v", round(h.Total))
	} else if h.Longest > 0 {
		long += fmt.Sprintf(", longest %v", round(h.Longest))
	}
	switch h.State {
	case "shared":
		return "many tasks together, none of them for long, held the loop " + long
	case "runnable":
		return "the machine, the scheduler or the garbage collector did not run the loop " + long
	case "not seen":
		return "something that ended before it was looked at held the loop " + long
	case "":
		return "tasks at other places held the loop " + long
	}
	who := h.Task
	if h.At != "" {
		who += " (" + h.At + ")"
	}
	return fmt.Sprintf("%s held its loop %s, %s", who, long, h.doing())
}

// doing says what the task did, such as "blocked in sync.(*Mutex).Lock".
func (h *Hold) doing() string {
	doing := "computing"
	switch h.State {
	case "blocked":
		doing = "blocked"
	case "system call":
		doing = "in a system call"
	}
	switch {
	case h.In == "":
		return doing
	case h.State == "system call":
		return doing + ", " + h.In
	}
	return doing + " in " + h.In
}

func times(n uint64) string { return fmt.Sprintf("%d times", n) }

// round rounds a duration to about three digits.
func round(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 10*unit {
			return d.Round(unit / 10)
		}
	}
	return d
}
