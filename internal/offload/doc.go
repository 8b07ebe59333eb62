// Package offload runs calls that may block: on goroutines, a bounded number at a time, or as Linux native AIO.
//
// # Two engines
//
// An [Engine] takes a [Request] and returns it when it has ended. It belongs to one thread, as a driver does, and
// signals its owner from other threads when a request has ended.
//
//	          Submit                   signal
//	owner ───────────▶ engine ──────────────────▶ owner ──Next──▶ request, with Res
//	          Cancel ──▶ taken back, at once
//
// [Workers] runs any call, on goroutines of a [Pool]. [AIO] has no goroutine at all: the kernel works on the request
// and signals an eventfd. But it takes only reads and writes at an offset and syncs, and is asynchronous only for
// files that are open with O_DIRECT. A request that AIO refuses, or ends with -EAGAIN, -EINVAL or -EOPNOTSUPP, was not
// done, and has to go to the workers: see [AIO.Submit].
//
// # Who owns the memory
//
// A request, and the memory that it names, belong to the engine from Submit until Next returns it, or a Cancel that
// took it back. A call that a worker has begun can't be stopped, and writes to the memory that was lent to it at any
// time; so its request ends when the call returns, cancelled or not.
//
// There are no bounce buffers, which would let a caller give up a read of a file at once. They would cost a copy for
// each read to make the rare cancel prompt, and the kernel's own queues don't give up a running read either. What can
// wait without end, such as a pipe or a terminal in blocking mode, must not be read here: an abandoned read would
// swallow the next bytes. The driver waits for its readiness and reads without waiting.
//
// # Bounds
//
// A pool runs a bounded number of jobs at once. Each pool has one worker of its own; the others are loans from a
// [Budget], which bounds them over all its pools. So 64 loops don't make a thousand threads, and no pool stands still
// because others hang. Loans go round job by job while pools want them. The queue has no bound: it links the jobs
// themselves, which are memory of the callers, so submitting allocates nothing and can't fail for want of room.
//
// Workers are goroutines that end when the queue is empty. Waking a parked worker would take as long as starting one,
// because a thread sleeps beneath it in both cases (BenchmarkHandOver). So there is nothing to leak, to stop or to
// tune.
package offload
