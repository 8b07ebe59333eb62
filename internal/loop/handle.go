package loop

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

// Register adds a handle to the loop.
func (l *Loop) Register(h *Handle, owner Open) {
	head := &l.handles
	if head.next == nil {
		head.next, head.prev = head, head
	}
	h.owner = owner
	h.next, h.prev = head.next, head
	h.next.prev, head.next = h, h
}

// Unregister takes a handle off; off already is fine.
func (l *Loop) Unregister(h *Handle) {
	if h.next == nil {
		return
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// EachHandle calls f for all that is open; f may unregister what it is given.
func (l *Loop) EachHandle(f func(Open)) {
	head := &l.handles
	for h := head.next; h != nil && h != head; {
		next := h.next
		f(h.owner)
		h = next
	}
}

// Next moves a place in the list, which is a handle that was registered, behind what is open next to it, and gives
// that, which may be another place; false if there is nothing.
func (h *Handle) Next(l *Loop) (o Open, ok bool) {
	next := h.next
	if next == &l.handles {
		return nil, false
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = next, next.next
	h.next.prev, next.next = h, h
	return next.owner, true
}
