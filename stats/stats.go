package stats

import "time"

// Loop has a loop's counters since it began, and what the loop has now. See ringo.Loop.Stats.
type Loop struct {
	Turns       uint64 // rounds of the loop
	Parks       uint64 // times that a task parked
	Yields      uint64 // yields: forced ones, of tasks whose calls never had to wait, and calls of Loop.Yield
	Mails       uint64 // messages from outside: posts, results of Offload, cancels
	WakesSpared uint64 // messages that needed no wake, because the loop was awake
	Stalls      uint64 // turns longer than Config.StallLimit, and callbacks of package event that parked for as long
	Backoffs    uint64 // times that Accept waited because descriptors or memory were short; this is reported

	InTasks  time.Duration // time in turns: tasks, and the loop's own work between them
	InKernel time.Duration // time between turns: asleep, or in the driver's calls
	Spinning time.Duration // busy-polling before a sleep, see Config.Spin
	Longest  time.Duration // the longest turn
	Recent   time.Duration // the longest turn of the last 30 to 60 s

	// Held is 0 if the loop has answered. If it did not answer within 100 ms because a task holds it, Held is how long
	// its present turn has lasted. InTasks, Longest, Recent and Stalls then count that turn as if it had ended;
	// everything else except Lanes is as of the loop's last answer, or at most half a minute before the turn.
	Held time.Duration

	TurnTimes Histogram // of all turns; Loop.Holds shows where long ones were spent

	Tasks   int // tasks that have not ended
	Workers int // coroutines: running, parked and idle
	Slots   int // operations in use
	Buffers int // buffers that connections and leases hold
	Leases  int // those of these buffers that the program holds, see sock.Conn.Next
	Timers  int // timers that are set, and some that were stopped recently

	// Delays is how long ready tasks have waited to run, sampled from one task in 64. A delay begins when the loop
	// notices that the task is ready: an event that arrives during a long turn makes its task ready only in the next
	// turn; see InTasks and Longest.
	Delays Histogram

	Pools   []Pool       // of buffers
	Handles []HandleKind // by kind, for kinds that were opened

	Ops    []Op // by kind, for operations that were used
	Driver Driver

	Classes []Class // the classes that have tasks on the loop; see ringo.NewClass

	Lanes []Lane // calls that run on ordinary goroutines, for all loops of the Run
}

// A Lane counts calls of one kind that run on ordinary goroutines, each call in a slot. Each kind has its own slots.
type Lane struct {
	Name    string        // "offload", "compute", "names", "files", "stand-ins" or "handlers", see docs/metrics.md
	Max     int           // number of slots; for "offload", Config.Offload
	Running int           // calls that have a slot
	Waiting int           // calls that wait for a slot
	Oldest  time.Duration // how long the first of the waiting calls has waited
	Waited  uint64        // calls that had to wait and have run since
	Longest time.Duration // the longest of their waits
	Waits   Histogram     // waits of all calls that have begun; 0 for calls that got a slot at once
}

// A Class counts the tasks of a ringo.Class on a loop, and the CPU time that they have used.
type Class struct {
	Name   string
	Weight int
	Tasks  int           // tasks that have not ended
	CPU    time.Duration // CPU time that its tasks have used

	// These fields are counted only while the class has limits (Class.SetIO).
	IO        int    // reads, writes and syncs of files in progress
	IOWaiting int    // of these, operations that wait for another to end
	IOBytes   uint64 // bytes read and written; reads from memory are not counted
}

// A Pool describes a pool of buffers.
type Pool struct {
	Pool  string // "ring", from which the kernel picks; "plain"; or "large", for connections that receive much
	Size  int    // bytes of each
	Max   int    // the maximum number
	Made  int    // how many are allocated
	InUse int    // how many are held by connections and leases
	Lent  int    // how many are with the kernel, to be filled
}

// A HandleKind counts the handles of one kind.
type HandleKind struct {
	Kind   string // "conn", "listener", "packet", "pollable"
	Open   int    // handles whose descriptor is open
	Opened uint64 // handles made on the loop, or moved to it
}

// An Op counts the operations of one kind.
type Op struct {
	Op        string // "recv"
	Tried     uint64 // plain calls by tasks; most succeed there
	Submitted uint64 // handed to the driver, to be waited for

	// Times is how long submitted operations took, by Loop.Now: from the turn that submitted them to the turn that got
	// the result. Multishot operations (receives and accepts, where the driver supports it) are not included.
	Times Histogram
}

// A Driver counts what a loop's driver has done since it was opened.
type Driver struct {
	Enters       uint64 // waits and flushes that made a system call
	Submitted    uint64 // operations handed to the kernel, or to the poller
	Completions  uint64 // results that came back; a multishot operation has many
	Queued       uint64 // operations that found the submission queue full
	ShortSubmits uint64 // enters after which the kernel had not taken all entries
	Overflows    uint64 // times that the completion queue had overflowed
	NoBuffers    uint64 // receives that found the buffer ring dry
	Fallbacks    uint64 // operations that fell back from their preferred way
	Stale        uint64 // events for operations or descriptors that were gone
	Sends        uint64 // sends of batched writes, see sock.Conn.Write
	ShortSends   uint64 // those of them that failed or were incomplete
	Wakes        uint64 // wakes that ended a sleep
	WakesSent    uint64 // wakes that took a system call; for the others the driver was awake
}
