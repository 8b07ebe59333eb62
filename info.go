package ringo

import (
	"net/netip"
	"time"

	"ringo/internal/census"
	"ringo/internal/driver"
	"ringo/internal/watch"
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

func statsOf(s census.Stats) Stats {
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
func (h Hold) String() string { return watch.Hold(h).String() }

// Holds returns where the loop has been held since it began, the longest total first, without holds that still last. It
// is empty if Config.HoldLimit is negative, and stays available after the loop's end. Any goroutine may call it; it
// does not park.
func (l *Loop) Holds() []Hold {
	all := watch.Holds(l.engine())
	holds := make([]Hold, len(all))
	for i, h := range all {
		holds[i] = Hold(h)
	}
	return holds
}

// HandleInfo describes something open on a loop, see Loop.Handles.
type HandleInfo struct {
	// Kind is "conn", "listener", "packet" for a datagram socket, "pollable", or "tail" for unsent bytes of a closed
	// connection.
	Kind    string
	Network string // "tcp", "udp", "unix" and so on; may be ""
	State   string // "open", "closing", or "detached": only goroutines have used it

	FD     int    // of the descriptor
	Local  string // its address, or of a "pollable" its name
	Remote string // the peer's, "" if there is none

	// Reading and Writing say which caller is in a call: "task", a task of the loop; "foreign", a goroutine or a task
	// of another loop; "armed", none, but the loop waits for input or sends written data; "", none.
	Reading, Writing string

	Age    time.Duration // to a sixtieth of a second; 0 if unknown: accepted by goroutines or package event
	Unread int           // received bytes not yet read; of a listener, connections not yet accepted
	Unsent int           // written bytes that the kernel has not taken yet
	Leases int           // buffers of it that the program holds
}

// Handles lists the open handles of the loop, youngest first: connections, listeners, datagram sockets, pollables. The
// loop makes the list in pieces, 64 handles in a turn, so handles that open or close meanwhile may be missing. The list
// is empty if the loop has ended or does not answer within 100 ms. Any goroutine may call it and waits for the list; a
// task parks, and gets an empty list if it is cancelled.
func (l *Loop) Handles() []HandleInfo {
	var all []HandleInfo
	if !census.EachHandle(l.engine(), func(i *census.HandleInfo) { all = append(all, handleInfoOf(i)) }) {
		return nil
	}
	return all
}

func handleInfoOf(i *census.HandleInfo) HandleInfo {
	return HandleInfo{
		Kind: i.Kind, Network: i.Network, State: i.State, FD: int(i.FD),
		Local: nameOfEnd(i.Local, i.LocalName), Remote: nameOfEnd(i.Remote, i.RemoteName),
		Reading: i.In, Writing: i.Out, Age: i.Age, Unread: i.Unread, Unsent: i.Unsent, Leases: i.Leases,
	}
}

// nameOfEnd is an address as text, or a name.
func nameOfEnd(ap netip.AddrPort, name string) string {
	if name == "" && ap.IsValid() {
		return ap.String()
	}
	return name
}
