package loop

import "ringo/internal/rt/code"

// Job is a task without a handle: it runs in a pooled coroutine and may park.
type Job interface {
	Run()
	// Code returns the function that observers see as the task's. It must not park.
	Code() code.Func
}

// item is work for a worker: a parked task to resume, a task to start, or a job to start.
type item struct {
	task *Task
	job  Job
}

// resumes reports whether the item is a task that was parked.
func (it *item) resumes() bool { return it.task != nil && it.task.w != nil }

// runQueue is the queue of ready items. It grows by doubling.
type runQueue struct {
	l          *Loop
	items      []item // the length is a power of two
	head, tail uint32
	most       int // the greatest length at the start of a turn since the last trim
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

// peek returns the i-th item from the front; i must be less than len.
func (q *runQueue) peek(i int) *item {
	return &q.items[(q.head+uint32(i))&uint32(len(q.items)-1)]
}

// from returns the place at, counted as head is, or head if the item at that place has left the queue.
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

// trim frees the memory of an empty queue that was much too large since the last trim. It reports whether to try
// again.
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

// grow doubles items. head and tail keep their values, because these decide which items are sampled.
func (q *runQueue) grow() {
	bigger := make([]item, max(64, 2*len(q.items)))
	for i := q.head; i != q.tail; i++ {
		bigger[i&uint32(len(bigger)-1)] = q.items[i&uint32(len(q.items)-1)]
	}
	q.items = bigger
}
