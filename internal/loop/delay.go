package loop

import "time"

// The loop measures how long ready items wait for one item in 1 << delayBits: to read the clock twice for each would
// cost as much as a wake. The place in the queue decides which items, so both ends of the queue know without a word in
// the item. The places are not at equal distances: if a few connections become ready together those would always hit
// the same one.
const (
	delayBits = 6
	golden    = 0x9E3779B1 // 2^32 divided by the golden ratio, odd
)

// sampled reports whether the item at a place in the queue is measured.
func sampled(at uint32) bool { return at*golden < 1<<(32-delayBits) }

// enqueue makes an item ready, to run in this turn or the next.
func (q *runQueue) enqueue(it item) {
	if sampled(q.tail) {
		q.noteReady()
	}
	q.push(it)
}

// noteReady begins the delay of the sampled item that the caller is about to push. Ready calls sampled itself, to
// avoid a call for most items: each return after a switch is mispredicted (BenchmarkPark).
func (q *runQueue) noteReady() { q.since.push(q.l.set.elapsed()) }

// dequeue takes the item that runs next.
func (q *runQueue) dequeue() item {
	if sampled(q.head) {
		q.noteDelay()
	}
	return q.pop()
}

// noteDelay ends the delay of the first item, which is sampled.
func (q *runQueue) noteDelay() {
	if since, ok := q.since.pop(); ok {
		q.l.counts.Delays.Add(time.Duration(q.l.set.elapsed() - since))
	}
}

// timeQueue is a queue of times.
type timeQueue struct {
	times []int64
	head  int
}

func (q *timeQueue) push(t int64) {
	if len(q.times) == cap(q.times) && q.head > len(q.times)/2 { // one that is never empty must not grow for ever
		q.times, q.head = q.times[:copy(q.times, q.times[q.head:])], 0
	}
	q.times = append(q.times, t)
}

func (q *timeQueue) pop() (t int64, ok bool) {
	if q.head == len(q.times) {
		return 0, false
	}
	t = q.times[q.head]
	if q.head++; q.head == len(q.times) {
		q.times, q.head = q.times[:0], 0
	}
	return t, true
}

// trim frees the memory of an empty queue.
func (q *timeQueue) trim() {
	if q.head == len(q.times) {
		*q = timeQueue{}
	}
}
