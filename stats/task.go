package stats

import "time"

// A Task describes a task as ringo.Loop.Tasks found it.
type Task struct {
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
	// Background says that no drain waits for the task: see ringo.Loop.GoBackground.
	Background bool
	Stack      int // the size of its stack in bytes; 0 if unknown

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
