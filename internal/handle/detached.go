package handle

import (
	"sync"

	"ringo/internal/loop"
	"ringo/internal/stream"
)

// Registry is the detached handles of a loop: those that were made for foreign callers, and that no task of
// the loop has touched. The loop knows no more of them than that they are there, to be closed at its
// end; foreign callers read, write and close them without the loop.
//
//	InitDetached, Detach ──▶ detached ──closed by foreign callers, or at the loop's end──▶ closed
//	                            │
//	                            └──a task of the loop comes: attach──▶ as any handle
type Registry struct {
	handle loop.Handle
	mu     sync.Mutex
	first  *foreign // with the places of who goes along them, see ShowEach
	over   bool     // the loop ends
}

// Register makes the registry known to its loop.
func (r *Registry) Register(l *loop.Loop) { l.Handles().Register(&r.handle, r) }

// add puts in a new one; false at the loop's end.
func (r *Registry) add(f *foreign) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	if f.next = r.first; f.next != nil {
		f.next.prev = f
	}
	r.first = f
	return true
}

func (r *Registry) remove(f *foreign) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlink(f)
}

// unlink is remove under mu.
func (r *Registry) unlink(f *foreign) {
	switch {
	case f.prev != nil:
		f.prev.next = f.next
	case r.first == f:
		r.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	}
	f.next, f.prev = nil, nil
}

// Drain is the loop's word that accepts have stopped.
func (r *Registry) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := r.first; f != nil; f = f.next {
		if f.c != nil { // else it is a place, see ShowEach
			f.c.drainIdle()
		}
	}
}

// Abandon is the loop's word that it ends.
func (r *Registry) Abandon() {
	for {
		r.mu.Lock()
		f := r.first
		r.over = true
		r.mu.Unlock()
		if f == nil {
			return
		}
		if f.c == nil { // a place, see ShowEach
			r.remove(f)
			continue
		}
		f.mu.Lock()
		if !f.taken {
			f.c.stopLingering()
		}
		f.mu.Unlock()
		f.beginCloseDetached()
		r.remove(f)
	}
}

// InitDetached makes c a handle of a descriptor for foreign callers: Detach must follow. Any caller.
func (c *Core) InitDetached(l *loop.Loop, hooks Hooks, kind loop.Kind, sys int32) {
	c.l, c.hooks, c.kind = l, hooks, kind
	c.fd.Init(sys)
	l.Handles().Opened(kind)
}

// Detach gives a new handle to the foreign callers for whom it was made, with what is known of its
// input. Where it was made by a task of the loop, that is its last touch.
func (c *Core) Detach(r *Registry, in stream.In) {
	if c.own != nil {
		c.Forget()
		c.removeTimers()
		c.l.Handles().Unregister(&c.own.open)
		c.own, c.state = nil, detached
	}
	c.LendAll()
	f := c.foreign.Load()
	f.halves[In].in = in
	f.registry = r
	if !r.add(f) {
		f.beginCloseDetached()
	}
}

// attach takes in a detached handle, because a task of the loop has come.
func (c *Core) attach() {
	if c.own == nil {
		c.attachSlow()
	}
}

// attachSlow is apart so that attach is inlined.
//
//go:noinline
func (c *Core) attachSlow() {
	f := c.foreign.Load()
	f.registry.remove(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	c.attachTo(c.hooks.Attach())
	f.registry = nil
	for dir := range f.halves {
		d := &c.own.dirs[dir]
		d.busy, d.lent = true, &f.halves[dir]
	}
	if f.isClosing() {
		c.state = closing
	}
	if f.taken { // AwaitClosed waits for who closes it
		c.state = closed
		c.l.Handles().Unregister(&c.own.open)
	}
}

// Attach takes in a handle that a task of the loop was given, if it was detached.
func (c *Core) Attach() { c.attach() }

// Drop closes a detached handle that nobody was given.
func (c *Core) Drop() { c.foreign.Load().beginCloseDetached() }

// beginCloseDetached begins the close of a detached handle, if it is one, and reports whether it is closed at once:
// else the last of those who are at it closes the descriptor.
func (f *foreign) beginCloseDetached() (detached, closed bool) {
	f.mu.Lock()
	if f.registry == nil || f.taken {
		defer f.mu.Unlock()
		return f.registry != nil, f.closed
	}
	told, registry := f.beginCloseLocked(), f.registry
	f.orphan = f.usesFD() || f.pinned > 0
	f.taken = !f.orphan
	closed = f.taken
	f.mu.Unlock()
	told.wake()
	if closed {
		f.closeFD(registry)
	}
	return true, closed
}
