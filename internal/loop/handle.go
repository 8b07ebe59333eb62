package loop

import "sync/atomic"

// Open is something open on a loop, such as a listener or a connection. The loop tells it when accepts stop, and when
// the loop ends.
type Open interface {
	// Drain is called when accepts have stopped, and once more when Grace has ended. It must not park, and must not
	// unregister any handle but its own.
	Drain()
	// Abandon closes without parking: the loop is about to close its driver.
	Abandon()
}

// Handle links an Open into its loop's list; the Open embeds it.
type Handle struct {
	prev, next *Handle
	owner      Open
}

// Handles is the list of what is open on a loop, with counts.
type Handles struct {
	head  Handle // the head of the list, a ring
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

// Unregister removes a handle from the list; it does nothing for one that is not in it.
func (*Handles) Unregister(h *Handle) {
	if h.next == nil {
		return
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// Each calls f for each open handle; f may unregister the handle it gets.
func (o *Handles) Each(f func(Open)) {
	for h := o.head.next; h != nil && h != &o.head; {
		next := h.next
		f(h.owner)
		h = next
	}
}

// Hold keeps the loop from ending as a task does, with n = 1, until a call with n = -1.
func (o *Handles) Hold(n int) { o.holds += n }

// Kind is the kind of a handle, for counts.
type Kind uint8

// The kinds.
const (
	KindConn Kind = iota
	KindListener
	KindPacket
	KindPollable
	Kinds
)

// Opened counts a handle as open on the loop. Foreign callers open and close some handles without their loop. G.
func (o *Handles) Opened(k Kind) { o.kinds[k].opened.Add(1) }

// Closed counts a handle as closed: its descriptor is closed, or has another owner. G.
func (o *Handles) Closed(k Kind) { o.kinds[k].closed.Add(1) }

// Next returns the handle that follows h in the list, and moves h behind it, so that the next call goes on there;
// false at the end of the list. h is a registered Handle that marks a place; the result may be another such mark.
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
