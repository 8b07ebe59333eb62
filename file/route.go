package file

// How an operation on a file travels: the one place that decides it. Who runs it depends on
// the file and on who calls.
//
//	                      what is in memory       else, a task          else, a goroutine
//	read, page cache      nowait                  ring                  host
//	  nowait refused:     plain, if the file system is in memory, or if it is overlayfs
//	                      and mincore(2) shows the pages; otherwise
//	                                              ring                  plain
//	write, page cache     nowait: a task's small  ring                  plain
//	Direct                                        ring                  host
//	at the position       as above                ring, from where      plain
//	                                              it is; or worker
//	appended                                      ring                  plain
//	written are no bytes                          worker                plain
//	FUSE                  nowait                  worker                plain
//	device, /proc, ...    nowait                  ring; worker at an    plain
//	                                              offset
//	no data moved         nowait: a task's        ring, or worker       plain
//
// What moves no data and has no entry in io_uring (chmod, readlink, getdents, ...) is a call
// by the kernel's door, which a worker makes for a task: see do in call.go.
//
// tmpfs, overlayfs and others refuse RWF_NOWAIT, and ext4 does for writes; there an entry
// of the ring ends with a thread of the kernel's. That costs twenty times what the call
// does, and less than half of what a worker costs (docs/adr/0028). To ask mincore
// costs more than the call (docs/adr/0033), so a task's read is content with what it said a
// millisecond ago (docs/adr/0044).

// runner is who runs an operation.
type runner uint8

const (
	// nowait is a call that doesn't wait: it reads and writes by what is in memory (preadv2
	// with RWF_NOWAIT), or looks names up by it. Where that is refused, or something is not
	// in memory, the operation is routed again, as cold.
	nowait runner = iota
	// plain is a system call on the caller's thread. In a task it is one that waits for
	// nothing.
	plain
	// ring is an op of the task's loop, while the task parks: an entry of the loop's ring, or
	// what else its driver does, which without io_uring is a worker.
	ring
	// host is an op of the rings that the goroutines of the process share (internal/hosted),
	// or a plain call where there are none, they are full, or fewer than three calls are under
	// way on the caller's.
	host
	// worker is an op of the task's loop for which a worker (internal/offload) makes the
	// plain call, while the task parks, also where there is a ring.
	worker
	// ask: the file system's type is not known, and the route depends on it. Once it has been
	// asked for the operation is routed again.
	ask
)

// kind is what an operation does with data.
type kind uint8

const (
	reads kind = iota
	writes
	meta // it moves none: Stat, Sync, Rename, ...
)

// caller is who calls.
type caller uint8

const (
	goroutine caller = iota
	task
)

// facts are what is known of a file, and of one call on it, as bits.
type facts uint32

const (
	// Of the file.
	noNowRead   facts = 1 << iota // it refuses reads that don't wait
	noNowWrite                    // and writes
	inMemory                      // its file system is in memory: no call waits for a disk
	overlaid                      // it is on an overlayfs, whose pages mincore(2) shows
	isFUSE                        // a process answers: even an entry that is told not to wait may wait for it
	pseudo                        // the kernel itself answers, as in /proc: some of its files take no offset
	typeKnown                     // whether it is one of the four above has been asked
	bypassCache                   // it is open with Direct
	appendOnly                    // it is open with O_APPEND
	ours                          // it was opened here: nobody else moves its position
	special                       // it is no file on a disk: a pipe, a terminal, a device
	pollable                      // such a one that is waited for, see readiness

	// Of the call.
	cold      // nowait has been tried
	resident  // mincore(2) says, or said a millisecond ago, that all it asks for is in memory
	warm      // so were the reads before it, see File.recent
	noRings   // the process has no rings for goroutines
	offloaded // a worker has to do it, see openAt
)

// Bounds of one call.
const (
	// pieceMax is os's bound: there are kernels that fail past it.
	pieceMax = 1 << 30
	// turnMax bounds what a loop's thread copies at once.
	turnMax = 1 << 20
	// directMax bounds a task's transfer with Direct. The loop's thread looks up the pages
	// of all of it: 0.3 ms for 4 MiB, 20 ms for 64. With pieces of 1 MiB, one after the
	// other, a disk gives a fifth less.
	directMax = 4 << 20
	// nowWriteMax bounds what a task first tries to put into memory.
	nowWriteMax = 64 << 10
)

// route is who runs an operation on size bytes at off, or at the position if that is
// negative; of those one call moves no more than pieceOf. It asks nobody and changes
// nothing.
func route(k kind, size int, off int64, by caller, known facts) runner {
	refusal, appends := noNowRead, false
	switch k {
	case writes:
		refusal, appends = noNowWrite, known&appendOnly != 0
	case meta:
		return routeMeta(by, known)
	}
	refused, direct := known&refusal != 0, known&bypassCache != 0
	if known&pollable != 0 {
		return plain // it has no offsets, as the call says at once
	}
	if k == writes && size == 0 && by == task {
		// A call that does not wait takes it for done, and so does a ring for files such as /dev/full: those that have
		// something to say of it are not asked (Linux 6.18).
		return worker
	}
	if !direct && known&(special|cold) == 0 {
		switch {
		case k == reads && by == goroutine && (off < 0 || known&(warm|noRings) != 0):
			return plain
		case refused:
		case k == reads, by == task && size <= nowWriteMax && !appends: // what is appended stays in one piece
			return nowait
		}
	}
	hosts := off >= 0 && (direct || k == reads && !refused) // what a ring does without a thread of the kernel's
	switch {
	case known&(inMemory|special) == inMemory && (refused || appends) && size <= turnMax, known&resident != 0:
		return plain
	case known&typeKnown == 0 && (by == task || hosts):
		return ask
	case by == goroutine && hosts && known&(isFUSE|pseudo|special) == 0:
		// Those at the position are for no ring: where one stops short, with the disk full or
		// failing, the ring gives the count and leaves the position where it was (Linux 6.18),
		// so that the next would overwrite it.
		return host
	case by == goroutine:
		return plain
	case known&isFUSE != 0:
		return worker // its entry would hold up the loop (Linux 6.12)
	case off >= 0 && known&(pseudo|special) != 0:
		return worker // of a file that takes no offset a ring takes it all the same, and drops it (Linux 6.18)
	case off < 0 && known&ours == 0:
		return worker // others move the position, too
	case off < 0 && appends && direct:
		// A disk may take such a write and tell of its end later, as that of xfs does (Linux
		// 6.18): then a ring leaves the position behind, too.
		return worker
	}
	return ring
}

// routeMeta is route for an operation that moves no data.
func routeMeta(by caller, known facts) runner {
	switch {
	case by == goroutine:
		return plain
	case known&cold == 0:
		return nowait
	case known&offloaded != 0:
		return worker
	}
	return ring
}

// pieceOf bounds what one call moves. A task's are in pieces, but for what has to be in one,
// or somebody else's bytes could come between.
func pieceOf(k kind, off int64, by caller, known facts) int {
	switch {
	case by == goroutine, off < 0 && (known&ours == 0 || k == writes && known&appendOnly != 0):
		return pieceMax
	case known&bypassCache != 0:
		return directMax
	}
	return turnMax
}
