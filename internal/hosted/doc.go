// Package hosted runs reads, writes and other ops on files, for ordinary goroutines, on an io_uring that belongs to no
// loop. A goroutine that waits for the disk there holds no thread.
//
//	goroutine ──Do──▶ pending ──▶ the one who leads ──io_uring_enter──▶ kernel
//	    ▲                                                                 │
//	    └────────── whoever leads, or the watcher ◀──────── CQ ◀──────────┘
//	                                                 (netpoller)
//
// Where io_uring is refused or avoided, the ring is a context of native AIO: see engine. That takes only transfers
// that bypass the page cache; if a transfer would have to wait all the same, the caller makes the plain call.
//
// # Who enters
//
// A goroutine adds its op to the pending ones. If no goroutine leads, it leads: it submits what is pending, its own op
// and those that others add meanwhile, by one call, reaps what has completed, and looks again. So one thread at a time
// enters, the others go on at once, and the disk gets many requests together. While many ops are in flight, a new
// leader first lets other runnable goroutines run, because they most often come with ops too.
//
// # Who reaps
//
// The leader, after each call, and a goroutine that Go's netpoller wakes when there are completions in the CQ. Each op
// has a slot with a channel, to which the reaper sends the result.
//
// # Who stays away
//
// A ring pays when there are many callers. The first few make the plain call, which costs a thread each, and takes a
// single reader half the time that the ring would. More callers do the same while goroutines that compute have all Ps:
// see busy.go.
//
// # What threads mean to requests
//
// The kernel runs the rest of a request on the thread that submitted it. If that thread ends, as the thread of a
// goroutine does that returns while it is locked to it, the kernel gives the request up, with -ECANCELED or -EFAULT.
// Unless the caller has cancelled the request, another thread submits it again, a bounded number of times.
//
// # Memory
//
// The caller keeps the descriptor open and does not touch its slices until Do returns, and Do returns only after the
// last completion, cancelled or not. The slot holds what the kernel may touch; slots don't move, and the kernel is
// given the number of a slot with a generation, so that a completion that comes twice is recognized.
package hosted
