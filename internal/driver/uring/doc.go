// Package uring is the driver that hands ops to the kernel's io_uring.
//
// One enter a turn submits everything and reaps everything. With DEFER_TASKRUN the
// kernel does the work of completions inside that call, on the loop's own thread,
// in one batch: no interrupt, no lock, and the data still in the cache.
//
//	Submit ──▶ SQ ──enter──▶ kernel ──▶ CQ ──Wait──▶ Queue
//	   └─▶ backlog, when the SQ is full or the stream is busy
//
// What the kernel does not do as the contract says is made up for here: EAGAIN in
// a completion arms a poll and submits again, a Full send that came short goes on,
// and a second receive on a stream waits for the first.
package uring
