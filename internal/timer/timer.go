package timer

// A Timer is one deadline that can be armed in a [Heap]. The zero value is
// ready and disarmed. It must not be copied while it is in a heap, and only the
// thread that owns the heap may use it.
//
// The fields that Arm and Disarm touch fill 56 bytes, so that moving a deadline
// costs one cache line and none of the heap's.
type Timer struct {
	at    int64  // the instant asked for, meaningful while armed
	seq   uint64 // which Arm asked for it; orders equal instants
	filed key    // what the entry in the heap is ordered by
	index int32  // place in Heap.entries plus one; 0: no entry
	armed bool

	// Owner is the user's: what to resume or run when the timer fires. The
	// heap never looks at it.
	Owner any
}

// key orders entries: by instant, then by the order of arming.
type key struct {
	at  int64
	seq uint64
}

// Armed reports whether the timer will fire.
func (t *Timer) Armed() bool { return t.armed }

// At returns the instant that the timer is armed for, in the nanoseconds that
// were given to [Heap.Arm]. It means nothing while the timer isn't armed.
func (t *Timer) At() int64 { return t.at }

// stale reports whether the entry no longer says what the timer wants. The
// sequence number is enough: each Arm draws a new one.
func (t *Timer) stale() bool { return !t.armed || t.filed.seq != t.seq }
