package loop

import "ringo/internal/rt/code"

// Job is a task without a handle: it runs in a pooled coroutine and may park.
type Job interface {
	Run()
	// Code is the function that those who look at the task are told it runs. It must not park.
	Code() code.Func
}

// item is something for a worker: a parked task to resume, a task to start, or a
// job to start.
type item struct {
	task *Task
	job  Job
}

// resumes reports whether the item is a task that was parked.
func (it *item) resumes() bool { return it.task != nil && it.task.w != nil }

// runQueue is the items that are ready, in order. It grows by doubling.
type runQueue struct {
	l          *Loop
	items      []item // a power of two
	head, tail uint32
	most       int // that a turn has found, since the last trim
	since      timeQueue
}

func (q *runQueue) len() int { return int(q.tail - q.head) }

func (q *runQueue) push(it item) {
	if q.len() == len(q.items) {
		q.grow()
	}
	q.items[q.tail&uint32(len(q.items)-1)] = it
	q.tail++
}

// peek gives the i-th item from the front; i must be less than len.
func (q *runQueue) peek(i int) *item {
	return &q.items[(q.head+uint32(i))&uint32(len(q.items)-1)]
}

// from is the place at, if it is still in the queue, or else the first, counted as head is.
func (q *runQueue) from(at uint32) uint32 {
	if int32(q.head-at) > 0 {
		return q.head
	}
	return at
}

func (q *runQueue) pop() item {
	p := q.peek(0)
	it := *p
	*p = item{}
	q.head++
	return it
}

// trim gives an empty queue less memory, if that has long been too much.
func (q *runQueue) trim() (more bool) {
	most := q.most
	q.most = 0
	if len(q.items) <= listKept || q.len() > 0 {
		return false
	}
	if most > len(q.items)/4 {
		return true
	}
	q.items = nil
	q.since.trim()
	return false
}

// grow leaves head and tail as they are, by which the sampled are known.
func (q *runQueue) grow() {
	bigger := make([]item, max(64, 2*len(q.items)))
	for i := q.head; i != q.tail; i++ {
		bigger[i&uint32(len(bigger)-1)] = q.items[i&uint32(len(q.items)-1)]
	}
	q.items = bigger
}
