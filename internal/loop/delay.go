package loop

import "time"

// How long what is ready waits for its loop is measured of one item in 1 << delayBits: two looks at the clock for each
// would cost as much as a wake. Which ones is told by the place in the queue, to both ends of it, without a word in the
// item; places at equal distances would always hit the same connection of a few that become ready together.
const (
	delayBits = 6
	golden    = 0x9E3779B1 // 2^32 by the golden ratio, odd
)

// sampled reports whether the item at a place in the queue is one of these.
func sampled(at uint32) bool { return at*golden < 1<<(32-delayBits) }

// enqueue has an item run, in this turn or the next.
func (q *runQueue) enqueue(it item) {
	if sampled(q.tail) {
		q.noteReady()
	}
	q.push(it)
}

// noteReady begins the delay of the item that is to be put into the queue, if it is sampled. Ready asks by itself
// whether it is: each return after a switch is one that the processor has guessed wrong (BenchmarkPark).
func (q *runQueue) noteReady() { q.since.push(q.l.set.elapsed()) }

// dequeue takes the item that is to run now.
func (q *runQueue) dequeue() item {
	if sampled(q.head) {
		q.noteDelay()
	}
	return q.pop()
}

// noteDelay ends the delay of the first item, if it is sampled.
func (q *runQueue) noteDelay() {
	if since, ok := q.since.pop(); ok {
		q.l.counts.Delays.Add(time.Duration(q.l.set.elapsed() - since))
	}
}

// timeQueue is times in order.
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

// trim gives an empty queue's memory back.
func (q *timeQueue) trim() {
	if q.head == len(q.times) {
		*q = timeQueue{}
	}
}
