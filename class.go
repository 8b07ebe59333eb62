package ringo

import (
	"fmt"

	"ringo/internal/loop"
)

// A Class is a kind of task, such as compaction or replication, that gets its share of each loop's CPU time. While
// tasks of several classes are ready on a loop, each class gets time in proportion to its weight, however many tasks it
// has. An idle class saves up no time. All tasks in no class share a weight of 100.
//
// Tasks are not interrupted: shares are fair only as far as tasks park, or yield when Loop.NeedYield says so. Calls of
// Offload and Compute run on other threads and are not counted. The kernel's work between two turns of the loop
// counts for the class that had the first of the two.
//
// A Class can be used on any number of loops, in any number of Runs. A loop looks at each class that has tasks on it,
// so make tens of classes, not one for each request. NewClass makes it; the zero Class has no name, and a weight of
// 100.
type Class struct{ c loop.Class }

// NewClass makes a class with a weight from 1 to 10000. Loop.Stats shows the name. It panics if the weight is outside
// that range. Any goroutine may call it.
func NewClass(name string, weight int) *Class {
	c := &Class{c: loop.Class{Name: name}}
	c.setWeight("NewClass", weight)
	return c
}

// SetWeight changes the weight from now on. It panics if the weight is not from 1 to 10000. Any goroutine may call it.
func (c *Class) SetWeight(weight int) { c.setWeight("Class.SetWeight", weight) }

func (c *Class) setWeight(method string, weight int) {
	if c == nil {
		panic("ringo: " + method + " of a nil Class")
	}
	if weight < loop.WeightMin || weight > loop.WeightMax {
		panic(fmt.Sprintf("ringo: %s: weight %d: want %d to %d", method, weight, loop.WeightMin, loop.WeightMax))
	}
	c.c.SetWeight(weight)
}

// IOLimits limit the I/O that a Class's tasks do through package file: reads, writes, copies and syncs. The zero
// IOLimits limit nothing.
type IOLimits struct {
	// Depth is how many of these operations may be in progress at once on each loop; 0 means any number. Others wait in
	// order of arrival.
	Depth int
	// Rate is how many bytes a second the tasks of all loops of a Run may read and write together; 0 means any number.
	// The class may save up 50 ms of it. A larger call begins once those before it are paid for, and later calls wait
	// until it is paid for, too. A call that moves fewer bytes than asked for costs only these.
	Rate int64
	// Priority is passed to the disk's scheduler with each read and write, on io_uring alone. It has an effect on files
	// that are open with file.Direct, if the scheduler has priorities: bfq has, mq-deadline has classes.
	Priority IOPriority
}

// An IOPriority is an I/O priority as ioprio_set(2) encodes it: a class shifted by 13 bits, and a level from 0, the
// highest, to 7. The zero IOPriority stands for the process's own.
type IOPriority uint16

// I/O priorities. Levels of the class best-effort are between IOHighest and IOLowest.
const (
	IOHighest IOPriority = 2 << 13       // best-effort, level 0
	IOLowest  IOPriority = IOHighest + 7 // best-effort, level 7
	IOIdle    IOPriority = 3 << 13       // only while nothing else uses the disk
)

// SetIO changes the limits of the class's I/O on files from now on. A call beyond them waits, and the wait ends early
// as any wait does. Reads that find all bytes in memory are free, and so are operations on a file system in memory;
// writes into the page cache count. A copy within the kernel counts once. The blocks of a file.Reader or file.Writer
// count for the class of the task that uses it when they begin. Calls of Offload and Compute are not counted, nor are
// the bytes that a connection takes from a file itself, as in io.Copy. SetIO panics if Depth or Rate is negative, or if
// Priority is neither 0, best-effort nor idle. Any goroutine may call it.
func (c *Class) SetIO(limits IOLimits) {
	if c == nil {
		panic("ringo: Class.SetIO of a nil Class")
	}
	p := limits.Priority
	if limits.Depth < 0 || limits.Rate < 0 || p != 0 && p != IOIdle && (p < IOHighest || p > IOLowest) {
		panic(fmt.Sprintf("ringo: Class.SetIO: %+v: want no negative number, and a Priority that is 0, IOIdle, or "+
			"from IOHighest to IOLowest", limits))
	}
	c.c.SetIO(loop.IOLimits{Depth: limits.Depth, Rate: limits.Rate, Priority: uint16(p)})
}

// WithClass calls fn and returns its error. Inside fn the running task belongs to class c, or to no class if c is nil.
// So do the tasks that fn starts, and those in which servers that it calls handle requests, for as long as they run;
// but functions that Shard.Call, a Batch, Sharded.Each or Reduce run on other loops are in no class. Blocks may be
// nested; when fn has returned or panicked, the task is in its former class again. Only a task may call WithClass; it
// parks until its class has its turn.
func (l *Loop) WithClass(c *Class, fn func() error) error {
	e := l.task("Loop.WithClass")
	wantFunc(fn != nil, "Loop.WithClass")
	if c == nil {
		return e.WithClass(nil, fn)
	}
	return e.WithClass(&c.c, fn)
}

// NeedYield reports whether the running task, which computes for long, should call Yield now: a completion, a message
// or a timer has arrived for the loop, or the task has run long enough while others may be waiting. Call it often, such
// as after each block of a compaction:
//
//	for it.Next() {
//		merge(it)
//		if l.NeedYield() {
//			l.Yield()
//		}
//	}
//
// On io_uring NeedYield notices completions by two loads, and returns true after 1 ms in any case. The other drivers
// can't notice them without a system call: there it returns true after 50 µs. It reads the clock every 2 µs or so, as
// estimated from earlier calls, and at least at each 32nd call. Only a task may call it; it does not park.
func (l *Loop) NeedYield() bool { return l.task("Loop.NeedYield").NeedYield() }
