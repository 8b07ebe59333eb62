package timer

// A Timer is one deadline that can be armed in a [Heap]. The zero value is ready and disarmed. It must not be copied
// while it is in a heap, and only the thread that owns the heap may use it.
//
// Arm and Disarm use the first 40 of its 56 bytes, so moving a deadline later costs about one cache line, and none of
// the heap's.
type Timer struct {
	at    int64  // the instant that it is armed for, meaningful while armed
	seq   uint64 // the number of the Arm that set it; orders equal instants
	filed key    // the key by which its entry in the heap is ordered
	index int32  // place in Heap.entries plus one; 0: no entry
	armed bool

	// Owner is what to resume or run when the timer fires. It belongs to the user of the timer; the heap never looks at
	// it.
	Owner any
}

// key orders entries: by instant, then by the order of arming.
type key struct {
	at  int64
	seq uint64
}

// Armed reports whether the timer will fire.
func (t *Timer) Armed() bool { return t.armed }

// At returns the instant that the timer is armed for, as given to [Heap.Arm]. It means nothing while the timer isn't
// armed.
func (t *Timer) At() int64 { return t.at }

// stale reports whether the timer's entry is out of date. To compare the sequence numbers is enough: each Arm draws a
// new one.
func (t *Timer) stale() bool { return !t.armed || t.filed.seq != t.seq }
