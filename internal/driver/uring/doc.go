// Package uring is the driver that hands ops to the kernel's io_uring.
//
// One enter a turn submits everything and reaps everything. With DEFER_TASKRUN the kernel does the work of completions
// inside that call, on the loop's own thread, in one batch: no interrupt, no lock, and the data still in the cache.
//
//	Submit ──▶ SQ ──enter──▶ kernel ──▶ CQ ──Wait──▶ Queue
//	   └─▶ backlog, when the SQ is full or the stream is busy
//
// Where the kernel does not do what the driver contract says, the driver does: EAGAIN in a completion arms a poll and
// submits the op again, a Full send that came short goes on, and a second receive on a stream waits for the first. Ops
// that send are plain calls after a poll (ready.go), and the sends of the outbox are entries (sends.go).
package uring
