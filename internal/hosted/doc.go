// Package hosted is an io_uring that belongs to no loop: ordinary goroutines run
// reads, writes and the like of files on it, and one that waits for the disk costs
// no thread.
//
//	goroutine ──Do──▶ pending ──▶ the one who leads ──io_uring_enter──▶ kernel
//	    ▲                                                                 │
//	    └────────── whoever leads, or the watcher ◀──────── CQ ◀──────────┘
//	                                                 (netpoller)
//
// Where io_uring is refused or avoided the ring is a context of native AIO: see engine. It has transfers past the page
// cache only, and what would have to wait all the same is the caller's plain call.
//
// # Who enters
//
// A goroutine leaves its op with those that are pending. If nobody leads, it leads: it
// submits what is pending, its own and that of all who come meanwhile, by one call,
// takes in what has completed, and looks again. So one thread at a time enters, the
// others go on at once, and the disk is told of many requests together. While many ops
// are in flight a new leader first lets the other goroutines run that could, because
// those most often come for the same.
//
// # Who reaps
//
// Whoever leads, after each call, and a goroutine that Go's netpoller wakes when there
// is something in the CQ. Each op has a slot with a channel; who reaps puts the
// result there.
//
// # Who stays away
//
// A ring pays when there are many. The first few callers make the plain call, which
// costs a thread each and, to a reader by itself, half of what the ring would. The same
// is done, by more, while goroutines that compute have all Ps: see busy.go.
//
// # What threads mean to requests
//
// The kernel runs what is left to do of a request on the thread that submitted it. If
// that thread ends, as that of a goroutine does which returns while it is locked to it,
// the kernel gives the request up, with -ECANCELED or -EFAULT. What nobody asked to
// cancel is submitted again, by another thread, a bounded number of times.
//
// # Memory
//
// The caller keeps the descriptor open and its slices alone until Do returns, and Do
// returns only after the last completion, cancelled or not. The slot has what the
// kernel may touch; slots don't move, and the kernel is given a slot's number with a
// generation, so that a completion which comes twice hits nobody.
package hosted
