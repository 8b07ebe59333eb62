package timer

import "fmt"

// arity is the number of children of a node. Four entries of 16 bytes are one
// cache line, and a tree half as deep as a binary one moves half as much.
const arity = 4

// A Heap holds the armed timers of one loop, in order of their instants. The zero value is empty and ready. Only its
// owner's thread may use it.
//
// Instants are nanoseconds of any one clock that never runs backwards. The heap only compares them, and reads no clock.
type Heap struct {
	entries []entry
	seq     uint64
}

// entry has a copy of the filed instant, so that sifting reads a Timer only for ties.
type entry struct {
	at    int64
	timer *Timer
}

// Len returns the number of entries, which is at least the number of armed
// timers: a disarmed timer keeps its entry until its filed instant has passed
// or [Heap.Remove] takes it out.
func (h *Heap) Len() int { return len(h.entries) }

// Arm makes t fire at the instant at, instead of any instant that it was armed for before. For a timer that has an
// entry, moving it later is a store.
//
// Arm panics if t has an entry in another heap and is moved to an earlier instant. When t is moved later, that mistake
// can't be noticed cheaply.
func (h *Heap) Arm(t *Timer, at int64) {
	h.seq++
	t.at, t.seq, t.armed = at, h.seq, true
	switch {
	case t.index == 0:
		t.filed = key{at, h.seq}
		h.entries = append(h.entries, entry{at, t})
		h.up(len(h.entries)-1, entry{at, t})
	case at < t.filed.at:
		i := h.indexOf(t)
		t.filed = key{at, h.seq}
		h.up(i, entry{at, t})
	}
}

// Disarm makes t not fire. It is a store: the entry stays until its filed instant has passed, or until the next
// [Heap.Arm] uses it again. Disarming an idle timer does nothing.
func (h *Heap) Disarm(t *Timer) { t.armed = false }

// Remove disarms t and takes its entry out at once, so that the heap no longer refers to t. It is for timers whose
// owner is about to be dropped. For a timer without an entry it does nothing.
func (h *Heap) Remove(t *Timer) {
	t.armed = false
	if t.index != 0 {
		h.cut(h.indexOf(t))
	}
}

// Next returns the earliest instant at which [Heap.Pop] may have something to do; ok is false if the heap is empty. It
// is never later than the earliest armed timer, and is earlier only for a stale entry. The Pop at that instant files or
// drops the entry, so a sleeping loop wakes in vain at most once per stale entry.
func (h *Heap) Next() (at int64, ok bool) {
	if len(h.entries) == 0 {
		return 0, false
	}
	return h.entries[0].at, true
}

// Pop takes out the earliest timer whose instant is now or before, disarms it and returns it; nil means that none is
// due. Timers with equal instants come in the order in which they were armed.
//
// After Pop has returned nil, Next is later than now. A caller that arms timers in the past between calls of Pop gets
// them in the same series of calls, and must bound the series itself.
func (h *Heap) Pop(now int64) *Timer {
	for len(h.entries) > 0 && h.entries[0].at <= now {
		t := h.entries[0].timer
		if !t.armed {
			h.cut(0)
			continue
		}
		if t.stale() {
			t.filed = key{t.at, t.seq}
			h.down(0, entry{t.at, t})
			continue
		}
		h.cut(0)
		t.armed = false
		return t
	}
	return nil
}

// indexOf returns the place of t's entry, and panics if that isn't in this heap.
func (h *Heap) indexOf(t *Timer) int {
	i := int(t.index) - 1
	if i >= len(h.entries) || h.entries[i].timer != t {
		panic(fmt.Sprintf("timer: used with a heap that it is not in (index %d, %d entries)", i, len(h.entries)))
	}
	return i
}

// cut removes entry i, and restores the order of the heap.
func (h *Heap) cut(i int) {
	h.entries[i].timer.index = 0
	last := len(h.entries) - 1
	moved := h.entries[last]
	h.entries[last] = entry{} // the array keeps its capacity, but must not keep the timer reachable
	h.entries = h.entries[:last]
	if i == last {
		return
	}
	if i > 0 && before(moved, h.entries[(i-1)/arity]) {
		h.up(i, moved)
	} else {
		h.down(i, moved)
	}
}

// before reports whether a belongs above b.
func before(a, b entry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.timer.filed.seq < b.timer.filed.seq
}

// up puts e at place i or nearer to the root. It overwrites the entry at i.
func (h *Heap) up(i int, e entry) {
	for i > 0 {
		parent := (i - 1) / arity
		if !before(e, h.entries[parent]) {
			break
		}
		h.put(i, h.entries[parent])
		i = parent
	}
	h.put(i, e)
}

// down puts e at place i or farther from the root. It overwrites the entry at i.
func (h *Heap) down(i int, e entry) {
	for {
		first := i*arity + 1
		if first >= len(h.entries) {
			break
		}
		least := first
		for child := first + 1; child < min(first+arity, len(h.entries)); child++ {
			if before(h.entries[child], h.entries[least]) {
				least = child
			}
		}
		if !before(h.entries[least], e) {
			break
		}
		h.put(i, h.entries[least])
		i = least
	}
	h.put(i, e)
}

func (h *Heap) put(i int, e entry) {
	h.entries[i] = e
	e.timer.index = int32(i + 1)
}
