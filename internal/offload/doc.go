// Package offload is where a call goes that may block: to goroutines, a bounded
// number at a time, or to Linux native AIO.
//
// # Two engines
//
// An [Engine] takes a [Request] and gives it back when it has ended. It belongs to
// one thread, as a driver does, and tells its owner from outside that there is
// something to be had.
//
//	          Submit                   signal
//	owner ───────────▶ engine ──────────────────▶ owner ──Next──▶ request, with Res
//	          Cancel ──▶ taken back, at once
//
// [Workers] runs any call, on goroutines of a [Pool]. [AIO] has no goroutine at
// all: the kernel works on the request and signals an eventfd; but it takes reads
// and writes at an offset only, and is asynchronous for files that are open with
// O_DIRECT. What it refuses, or gives back with -EAGAIN, -EINVAL or -EOPNOTSUPP,
// was not done and is for the workers: see [AIO.Submit].
//
// # Who owns the memory
//
// A request and what it names are the engine's from Submit until Next or a Cancel
// that took it back. A call that a worker has begun can't be stopped, and writes
// to the memory that it was lent whenever it gets so far; so its request ends when
// its thread returns, cancelled or not.
//
// There are no bounce buffers between, which would make reads of files easier to
// give up. They cost a copy for each read so that the rare cancel of one is
// prompt, and the kernel's own queues don't give up a running read either. What
// can wait without end, a pipe or a terminal in blocking mode, must not be read
// here: an abandoned read would swallow the next bytes. The driver waits for its
// readiness and reads without waiting.
//
// # Bounds
//
// A pool runs so many jobs at once, and the pools of a [Budget] so many together
// beyond the first of each, which every pool has of its own: 64 loops don't make a
// thousand threads, and no pool stands still for others that hang. Loans go round
// job by job while pools want them. The queue has no bound of its own: it consists
// of the jobs, which are memory of whoever submits them, so that handing over
// costs no allocation and can't fail.
//
// Workers are goroutines that end when the queue is empty. One that is parked
// would have to be woken, which takes as long as starting one, because a thread
// sleeps beneath it in both cases (BenchmarkHandOver); and nothing is left to leak,
// to stop or to tune.
package offload
