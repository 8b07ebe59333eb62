package loop

import "sync/atomic"

// Open is something open on a loop: a listener, a connection. The loop tells it
// when accepts stop, and when the loop ends.
type Open interface {
	// Drain says that accepts have stopped, and once more that Grace has ended. It must not park, nor unregister any
	// handle but its own.
	Drain()
	// Abandon closes without parking: the driver is about to be drained.
	Abandon()
}

// Handle links an Open into its loop's list; it is embedded in the Open.
type Handle struct {
	prev, next *Handle
	owner      Open
}

// Handles are what is open on a loop.
type Handles struct {
	head  Handle // of their list
	kinds [Kinds]struct{ opened, closed atomic.Uint64 }
	holds int // see Hold
}

// Register adds a handle.
func (o *Handles) Register(h *Handle, owner Open) {
	if o.head.next == nil {
		o.head.next, o.head.prev = &o.head, &o.head
	}
	h.owner = owner
	h.next, h.prev = o.head.next, &o.head
	h.next.prev, o.head.next = h, h
}

// Unregister takes a handle off; off already is fine.
func (*Handles) Unregister(h *Handle) {
	if h.next == nil {
		return
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// Each calls f for all that is open; f may unregister what it is given.
func (o *Handles) Each(f func(Open)) {
	for h := o.head.next; h != nil && h != &o.head; {
		next := h.next
		f(h.owner)
		h = next
	}
}

// Hold keeps the loop from ending, as a task does, or no longer: n is 1 or -1.
func (o *Handles) Hold(n int) { o.holds += n }

// Kind is what a handle is to those who count.
type Kind uint8

// The kinds.
const (
	KindConn Kind = iota
	KindListener
	KindPacket
	KindPollable
	Kinds
)

// Opened counts a handle that the loop has from now on. Foreign callers open and close some without their loop. G.
func (o *Handles) Opened(k Kind) { o.kinds[k].opened.Add(1) }

// Closed counts one whose descriptor is closed, or somebody else's. G.
func (o *Handles) Closed(k Kind) { o.kinds[k].closed.Add(1) }

// Next moves a place in the list, which is a handle that was registered, behind what is open next to it, and gives
// that, which may be another place; false if there is nothing.
func (h *Handle) Next(l *Loop) (o Open, ok bool) {
	next := h.next
	if next == &l.handles.head {
		return nil, false
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = next, next.next
	h.next.prev, next.next = h, h
	return next.owner, true
}
