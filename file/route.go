package file

// This file decides who runs an operation on a file. It depends on the file and on the caller.
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
//	a write of no bytes                           worker                plain
//	FUSE                  nowait                  worker                plain
//	device, /proc, ...    nowait                  ring; worker at an    plain
//	                                              offset
//	no data moved         nowait: a task's        ring, or worker       plain
//
// Operations that move no data and have no entry in io_uring (chmod, readlink, getdents, ...) are calls through
// package kernel, which a worker makes for a task: see do in call.go.
//
// tmpfs, overlayfs and others refuse RWF_NOWAIT, and ext4 refuses it for writes; there a ring's entry ends on a thread
// of the kernel. That costs twenty times what the call does, and less than half of what a worker costs
// (docs/adr/0028). Asking mincore costs more than the call (docs/adr/0033), so a task's read uses mincore's answer for
// a millisecond (docs/adr/0044).

// runner says who runs an operation.
type runner uint8

const (
	// nowait is a call that doesn't wait: it moves what is in memory (preadv2 with RWF_NOWAIT), or looks up names
	// there. If that is refused, or something is not in memory, the operation is routed again, as cold.
	nowait runner = iota
	// plain is a system call on the caller's thread. For a task it is chosen only if the call does not wait.
	plain
	// ring is an op of the task's loop, while the task parks: an entry of the loop's ring, or without io_uring
	// whatever the loop's driver does, which is a worker.
	ring
	// host is an op of the rings that the goroutines of the process share (internal/hosted), or a plain call if there
	// are no rings, if they are full, or if fewer than three calls are under way on the caller's ring.
	host
	// worker is an op of the task's loop for which a worker (internal/offload) makes the plain call, while the task
	// parks, even if the loop has a ring.
	worker
	// ask means that the route depends on the file system's type, which is not known yet. Once it is known, the
	// operation is routed again.
	ask
)

// kind is what an operation does with data.
type kind uint8

const (
	reads kind = iota
	writes
	meta // moves no data: Stat, Sync, Rename, ...
)

// caller says who calls.
type caller uint8

const (
	goroutine caller = iota
	task
)

// facts are bits that say what is known of a file, and of one call on it.
type facts uint32

const (
	// Of the file.
	noNowRead   facts = 1 << iota // the file refuses reads that don't wait
	noNowWrite                    // and writes
	inMemory                      // the file system is in memory: no call waits for a disk
	overlaid                      // on an overlayfs, whose pages mincore(2) shows
	isFUSE                        // a process answers: even an entry that is told not to wait may wait for it
	pseudo                        // the kernel itself answers, as in /proc: some of these files take no offset
	typeKnown                     // the file system's type is known: whether one of the four above applies
	bypassCache                   // open with Direct
	appendOnly                    // open with O_APPEND
	ours                          // opened by this package, which alone has its descriptor and moves its position
	special                       // not a file on a disk: a pipe, a terminal, a device
	pollable                      // a special file whose calls wait for readiness, see readiness

	// Of the call.
	cold      // nowait has been tried
	resident  // mincore(2) says, or said a millisecond ago, that all the bytes are in memory
	warm      // the reads before it found their bytes in memory, see File.recent
	noRings   // the process has no rings for goroutines
	offloaded // must run on a worker, see openAt
)

// Bounds of one call.
const (
	// pieceMax is package os's bound: some kernels fail beyond it.
	pieceMax = 1 << 30
	// turnMax bounds what a loop's thread copies at once.
	turnMax = 1 << 20
	// directMax bounds a task's transfer with Direct. The loop's thread looks up the pages of all of it: 0.3 ms for 4
	// MiB, 20 ms for 64 MiB. With pieces of 1 MiB, one after the other, a disk is a fifth slower.
	directMax = 4 << 20
	// nowWriteMax bounds the writes that a task tries without waiting first.
	nowWriteMax = 64 << 10
)

// route returns who runs an operation on size bytes at off, or at the position if off is negative; one call moves at
// most pieceOf of them. route makes no calls and changes nothing.
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
		// Neither a call that does not wait nor a ring asks a file such as /dev/full about a write of no bytes: both
		// report success, where write(2) may report an error (Linux 6.18).
		return worker
	}
	if !direct && known&(special|cold) == 0 {
		switch {
		case k == reads && by == goroutine && (off < 0 || known&(warm|noRings) != 0):
			return plain
		case refused:
		case k == reads, by == task && size <= nowWriteMax && !appends: // an append must stay in one piece
			return nowait
		}
	}
	hosts := off >= 0 && (direct || k == reads && !refused) // a ring does these without a thread of the kernel
	switch {
	case known&(inMemory|special) == inMemory && (refused || appends) && size <= turnMax, known&resident != 0:
		return plain
	case known&typeKnown == 0 && (by == task || hosts):
		return ask
	case by == goroutine && hosts && known&(isFUSE|pseudo|special) == 0:
		// Transfers at the position don't go to these rings: if one stops short, because the disk is full or fails,
		// the ring returns the count and leaves the position where it was (Linux 6.18), and the next write would
		// overwrite the bytes.
		return host
	case by == goroutine:
		return plain
	case known&isFUSE != 0:
		return worker // a ring's entry would hold up the loop (Linux 6.12)
	case off >= 0 && known&(pseudo|special) != 0:
		return worker // a ring accepts an offset even if the file takes none, and drops it (Linux 6.18)
	case off < 0 && known&ours == 0:
		return worker // other users move the position too
	case off < 0 && appends && direct:
		// The file system may complete such a write asynchronously, as xfs does (Linux 6.18): then a ring does not
		// advance the position either.
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

// pieceOf bounds the bytes that one call moves. A task's transfers are split into pieces, except those that must be
// one call, because other users' bytes could come between the pieces.
func pieceOf(k kind, off int64, by caller, known facts) int {
	switch {
	case by == goroutine, off < 0 && (known&ours == 0 || k == writes && known&appendOnly != 0):
		return pieceMax
	case known&bypassCache != 0:
		return directMax
	}
	return turnMax
}
