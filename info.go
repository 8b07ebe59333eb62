package ringo

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/loop"
)

// Info describes a loop's driver. Its slices are not to be modified.
type Info struct {
	Run      int      // the number of the loop's Run, from 1; Loop.Index tells its loops apart
	Name     string   // as in Config.Driver
	Reason   string   // why it was chosen: who asked for it, or what the better one lacked
	Features []string // what it uses of what the kernel offers
	Entries  int      // size of the submission queue, 0 if there is none
	Ways     []Way    // how each operation is run, where there is a choice
	Lends    bool     // received bytes come in buffers that the kernel picks, so that Next copies nothing
}

// Way is how a driver runs the operations of one kind.
type Way struct {
	Op    string // "accept", "accept, multishot"
	Way   string // "multishot entry"
	Lacks string // what a better way would have needed; empty: this is the best
}

// Stats count what a loop did since it began, and what there is on it now.
type Stats struct {
	Turns       uint64 // rounds of the loop
	Parks       uint64 // times that a task gave the thread away
	Yields      uint64 // those of tasks whose calls never had to wait
	Mails       uint64 // messages from outside: posts, results of Offload, cancels
	WakesSpared uint64 // messages for which the loop had not to be woken, because it was awake
	Stalls      uint64 // turns longer than Config.StallLimit, and callbacks of package event that parked for as long
	Backoffs    uint64 // times that Accept waited for a shortage to pass, of descriptors or memory, which is reported

	InTasks  time.Duration // time in turns: tasks, and the loop's own work between them
	InKernel time.Duration // time between turns: asleep, or in the driver's calls
	Spinning time.Duration // time of looking for work before a sleep, see Config.Spin
	Longest  time.Duration // the longest turn
	Recent   time.Duration // the longest turn of the last 30 to 60 s

	// Held is how long the loop's present turn has lasted, if the loop did not answer within a tenth of a second: a
	// task holds it, maybe for good. 0: it answered. InTasks, Longest, Recent and Stalls then count that turn as if it
	// had ended; all else but Lanes is as it was when the loop last answered, or half a minute before the turn at most.
	Held time.Duration

	TurnTimes Histogram // of all turns; what was long of them has its place in Loop.Holds

	Tasks   int // tasks that have not finished
	Workers int // coroutines: running, parked and idle
	Slots   int // operations in use
	Buffers int // buffers that connections and leases hold
	Leases  int // those of them that the program holds, see sock.Conn.Next
	Timers  int // timers that are set, with some that were stopped lately

	// Delays is how long what was ready to run has waited for its loop, of one in 64 tasks that became ready. It begins
	// when the loop has learned of it: what came while a turn was long is not ready before the next, see InTasks and
	// Longest.
	Delays Histogram

	Pools   []PoolStats   // of buffers
	Handles []HandleStats // what was opened, by kind, of those that there were

	Ops    []OpStats // by kind of operation, those that there were
	Driver DriverStats

	Lanes []LaneStats // what runs on ordinary goroutines in place of tasks, of all loops of the Run
}

// LaneStats count calls of one sort that run on ordinary goroutines, each of which takes a slot. Each sort has slots of
// its own.
type LaneStats struct {
	Name    string        // "offload", "compute", "names", "files", or "stand-ins" for handles of other loops
	Max     int           // slots; of "offload", Config.Offload
	Running int           // calls that have one
	Waiting int           // calls that wait for one
	Oldest  time.Duration // how long the first of these has
	Waited  uint64        // calls that have waited, and have run since
	Longest time.Duration // the longest of their waits
	Waits   Histogram     // the waits of all calls that have begun; one that had a slot at once has waited for 0
}

// PoolStats is how much there is of a pool of buffers.
type PoolStats struct {
	Pool  string // "ring", from which the kernel takes them, "plain", or "large", for those to whom much comes
	Size  int    // bytes of each
	Max   int    // how many there may be
	Made  int    // how many have memory
	InUse int    // how many connections and leases hold
	Lent  int    // how many are the kernel's to fill
}

// HandleStats count the handles of one kind.
type HandleStats struct {
	Kind   string // "conn", "listener", "packet", "pollable"
	Open   int    // whose descriptor is open
	Opened uint64 // made on the loop, or moved to it
}

// OpStats count the operations of one kind.
type OpStats struct {
	Op        string // "recv"
	Tried     uint64 // plain calls, made by tasks; most end there
	Submitted uint64 // handed to the driver, to be waited for

	// Times is how long those have taken that were handed to the driver, by the clock of turns, Loop.Now: from the
	// turn in which they were until the turn that had the result. Those that stay armed and bring many results, as
	// the receives and accepts of a loop do where the driver can, are not among them.
	Times Histogram
}

// DriverStats count what a loop's driver did since it was opened.
type DriverStats struct {
	Enters       uint64 // waits and flushes that entered the kernel
	Submitted    uint64 // operations handed to the kernel, or to the poller
	Completions  uint64 // results that came back; a multishot operation has many
	Queued       uint64 // operations that found the submission queue full
	ShortSubmits uint64 // enters after which the kernel had not taken all entries
	Overflows    uint64 // times that the completion queue had overflowed
	NoBuffers    uint64 // receives that found the buffer ring dry
	Fallbacks    uint64 // operations that took another way than their first
	Stale        uint64 // events for operations or descriptors that were gone
	Sends        uint64 // sends that the turn had accepted, see sock.Conn.Write
	ShortSends   uint64 // those of them that met an error, or too little room
	Wakes        uint64 // wakes that ended a sleep
	WakesSent    uint64 // wakes that took a system call; the others found the driver awake
}

func infoOf(i driver.Info, run int) Info {
	info := Info{
		Run: run, Name: i.Name, Reason: i.Reason, Features: i.Features, Entries: i.Entries, Lends: i.Lends,
		Ways: make([]Way, len(i.Ways)),
	}
	for n, w := range i.Ways {
		info.Ways[n] = Way(w)
	}
	return info
}

func statsOf(s loop.Stats) Stats {
	stats := Stats{
		Turns: s.Turns, Parks: s.Parks, Yields: s.Yields, Mails: s.Mails, WakesSpared: s.WakesSpared,
		Stalls: s.Stalls, Backoffs: s.Backoffs, InTasks: s.InTasks, InKernel: s.InKernel,
		Spinning: s.Spinning, Longest: s.Longest, Recent: s.Recent, Held: s.Held,
		TurnTimes: Histogram(s.TurnTimes), Tasks: s.Tasks, Workers: s.Workers,
		Slots: s.Slots, Buffers: s.Buffers, Leases: s.Leases, Timers: s.Timers, Delays: Histogram(s.Delays),
		Pools: make([]PoolStats, len(s.Pools)), Handles: make([]HandleStats, len(s.Handles)),
		Ops: make([]OpStats, len(s.Ops)), Driver: DriverStats(s.Driver), Lanes: make([]LaneStats, len(s.Lanes)),
	}
	for n, o := range s.Pools {
		stats.Pools[n] = PoolStats(o)
	}
	for n, o := range s.Handles {
		stats.Handles[n] = HandleStats(o)
	}
	for n, o := range s.Ops {
		stats.Ops[n] = OpStats{o.Op, o.Tried, o.Submitted, Histogram(o.Times)}
	}
	for n, o := range s.Lanes {
		stats.Lanes[n] = LaneStats{o.Name, o.Max, o.Running, o.Waiting, o.Oldest, o.Waited, o.Longest,
			Histogram(o.Waits)}
	}
	return stats
}
