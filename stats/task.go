package stats

import "time"

// A Task describes a task as ringo.Loop.Tasks found it.
type Task struct {
	// ID numbers the tasks of a loop in the order in which they began, from 1; it wraps around after four billion. It
	// is 0 if the task has not begun, or if its loop is held and the task has no name.
	ID   uint64
	Loop int    // the loop's Index
	Name string // the name of GoNamed, or the function that it runs: "main.(*server).handle"
	At   string // where that function begins, such as "/src/store/main.go:81"; "" for a method value

	Began time.Time // zero if the task has not begun
	// State is "new" if the task has not begun; "ready" if its wait has ended, or it has just begun, and it runs when
	// its turn comes; "running"; "yielded" if it has let others run, and is ready again; "parked" if it waits;
	// "unknown" if its loop is held.
	State string
	// Since is how long ago the task parked, or began if it has not parked yet.
	Since    time.Duration
	Canceled bool // the task is cancelled: all its waits fail
	// Background says that no drain waits for the task: see ringo.Loop.GoBackground.
	Background bool
	Stack      int // the size of its stack in bytes; 0 if unknown

	// Wait says what a parked task waits for, in one line for people: "recv, fd 12, peer 10.0.0.5:4411". If the loop is
	// held, Wait describes the loop. The fields after it have the same information.
	Wait   string
	WaitOp string    // "recv", "Sleep", "Mutex.Lock"
	FD     int       // the descriptor; -1 for none
	Peer   string    // the peer of the connection; "" for none
	Until  time.Time // when the wait ends by itself; zero if it does not

	// Holder is the task that this one waits for: the one that has the Mutex, or whose end it waits for. HolderLoop is
	// the Index of that task's loop, or of a loop that this task waits for; -1 for none. HolderID is the ID of that
	// task; 0 if unknown.
	Holder     string
	HolderLoop int
	HolderID   uint64
}
