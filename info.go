package ringo

import (
	"time"

	"ringo/internal/driver"
	"ringo/internal/loop"
)

// Info describes a loop's driver. Callers must not modify its slices.
type Info struct {
	Run      int      // the number of the loop's Run, from 1; Loop.Index tells its loops apart
	Name     string   // as in Config.Driver
	Reason   string   // why it was chosen: what asked for it, or what the better one lacks
	Features []string // the kernel features that it uses
	Entries  int      // size of the submission queue, 0 if there is none
	Ways     []Way    // how each operation is run, where there is a choice
	Lends    bool     // received bytes come in buffers that the kernel picks, so that Next copies nothing
}

// Way is how a driver runs the operations of one kind.
type Way struct {
	Op    string // "accept", "accept, multishot"
	Way   string // "multishot entry"
	Lacks string // what the best way needs and the kernel lacks; empty: this is the best
}

// Stats count what a loop has done since it began, and what it has now.
type Stats struct {
	Turns       uint64 // rounds of the loop
	Parks       uint64 // times that a task parked
	Yields      uint64 // forced yields of tasks whose calls never had to wait
	Mails       uint64 // messages from outside: posts, results of Offload, cancels
	WakesSpared uint64 // messages that needed no wake, because the loop was awake
	Stalls      uint64 // turns longer than Config.StallLimit, and callbacks of package event that parked for as long
	Backoffs    uint64 // times that Accept waited because descriptors or memory were short; this is reported

	InTasks  time.Duration // time in turns: tasks, and the loop's own work between them
	InKernel time.Duration // time between turns: asleep, or in the driver's calls
	Spinning time.Duration // busy-polling before a sleep, see Config.Spin
	Longest  time.Duration // the longest turn
	Recent   time.Duration // the longest turn of the last 30 to 60 s

	// Held is how long the loop's present turn has lasted, if the loop did not answer within 100 ms because a task
	// holds it; 0 if it answered. InTasks, Longest, Recent and Stalls then count that turn as if it had ended;
	// everything else except Lanes is as of the loop's last answer, or at most half a minute before the turn.
	Held time.Duration

	TurnTimes Histogram // of all turns; Loop.Holds shows where long ones were spent

	Tasks   int // tasks that have not finished
	Workers int // coroutines: running, parked and idle
	Slots   int // operations in use
	Buffers int // buffers that connections and leases hold
	Leases  int // those of them that the program holds, see sock.Conn.Next
	Timers  int // timers that are set, and some that were stopped recently

	// Delays is how long ready tasks have waited to run, sampled from one in 64. It counts from when the loop notices:
	// an event that arrives during a long turn makes its task ready only in the next; see InTasks and Longest.
	Delays Histogram

	Pools   []PoolStats   // of buffers
	Handles []HandleStats // by kind, for kinds that were opened

	Ops    []OpStats // by kind, for operations that were used
	Driver DriverStats

	Lanes []LaneStats // calls that run on ordinary goroutines, for all loops of the Run
}

// LaneStats count calls of one kind that run on ordinary goroutines, each in a slot. Each kind has its own slots.
type LaneStats struct {
	Name    string        // "offload", "compute", "names", "files", or "stand-ins" for handles of other loops
	Max     int           // slots; of "offload", Config.Offload
	Running int           // calls that have one
	Waiting int           // calls that wait for one
	Oldest  time.Duration // how long the first of these has waited
	Waited  uint64        // calls that had to wait and have run since
	Longest time.Duration // the longest of their waits
	Waits   Histogram     // waits of all calls that have begun; 0 for calls that got a slot at once
}

// PoolStats describe a pool of buffers.
type PoolStats struct {
	Pool  string // "ring", from which the kernel picks; "plain"; or "large", for connections that receive much
	Size  int    // bytes of each
	Max   int    // the maximum number
	Made  int    // how many are allocated
	InUse int    // how many are held by connections and leases
	Lent  int    // how many are with the kernel, to be filled
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
	Tried     uint64 // plain calls by tasks; most succeed there
	Submitted uint64 // handed to the driver, to be waited for

	// Times is how long submitted operations took, by Loop.Now: from the turn that submitted them to the turn that got
	// the result. Multishot operations, as receives and accepts are where the driver supports it, are not included.
	Times Histogram
}

// DriverStats count what a loop's driver did since it was opened.
type DriverStats struct {
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
