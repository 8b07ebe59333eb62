// Package offload is where a call goes that may block: to goroutines of its own,
// a bounded number at a time, the rest in a queue.
//
// A job is memory of whoever submits it and is linked into the queue as it is,
// so handing over costs no allocation. Workers are goroutines that end when the
// queue is empty: starting one is cheaper than waking a sleeping thread, which a
// parked one would need too, and nothing is left to leak or to stop.
//
// What a job has to say when it is done it says itself, at the end of Run, on the
// worker's goroutine; a loop's job pushes to a mailbox and wakes the loop.
package offload
