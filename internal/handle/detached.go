package handle

import (
	"sync"

	"ringo/internal/loop"
	"ringo/internal/stream"
)

// Registry is the list of a loop's detached handles: those that were made for foreign callers, and that no task of the
// loop has touched. The loop knows of them only to close them at its end. Foreign callers read, write and close them
// without the loop.
//
//	InitDetached, Detach ──▶ detached ──closed by foreign callers, or at the loop's end──▶ closed
//	                            │
//	                            └──a task of the loop comes: attach──▶ as any handle
type Registry struct {
	handle loop.Handle
	mu     sync.Mutex
	first  *foreign // of the list, which also has the marks of ShowEach
	over   bool     // the loop ends
}

// Register links the registry into its loop's list.
func (r *Registry) Register(l *loop.Loop) { l.Handles().Register(&r.handle, r) }

// add adds a new handle; false at the loop's end.
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

// unlink is remove for callers that hold mu.
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

// Drain is called when accepts have stopped.
func (r *Registry) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := r.first; f != nil; f = f.next {
		if f.c != nil { // nil for a mark of ShowEach
			f.c.drainIdle()
		}
	}
}

// Abandon closes all handles: the loop calls it when it ends.
func (r *Registry) Abandon() {
	for {
		r.mu.Lock()
		f := r.first
		r.over = true
		r.mu.Unlock()
		if f == nil {
			return
		}
		if f.c == nil { // a mark of ShowEach
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

// InitDetached makes c a handle of a descriptor for foreign callers. Detach must follow. Any caller.
func (c *Core) InitDetached(l *loop.Loop, hooks Hooks, kind loop.Kind, sys int32) {
	c.l, c.hooks, c.kind = l, hooks, kind
	c.fd.Init(sys)
	l.Handles().Opened(kind)
}

// Detach gives a new handle, with what is known of its input, to the foreign callers that it was made for. If a task
// of the loop has made it the task must not use it afterwards.
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

// attach makes a detached handle one of the loop, because a task of the loop uses it.
func (c *Core) attach() {
	if c.own == nil {
		c.attachSlow()
	}
}

// attachSlow is a function of its own so that attach is inlined.
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
	if f.taken { // AwaitClosed waits for the caller that closes it
		c.state = closed
		c.l.Handles().Unregister(&c.own.open)
	}
}

// Attach attaches a handle that a task of the loop has got, if it was detached.
func (c *Core) Attach() { c.attach() }

// Drop closes a detached handle that no caller has got.
func (c *Core) Drop() { c.foreign.Load().beginCloseDetached() }

// beginCloseDetached begins the close of a handle, if that is detached. closed reports whether it was closed at once;
// if not the last of the callers that use it closes the descriptor.
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
