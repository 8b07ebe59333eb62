package sockhttp

import (
	"context"
	"sync"
)

// requestContext is the context of a request: it ends with the answer, with the peer, or with the connection's. What a
// handler does not ask for is not made.
type requestContext struct {
	context.Context // the connection's

	x     *exchange // nil: who serves it knows of its peer's end
	mu    sync.Mutex
	done  chan struct{} // nil: nobody has asked
	err   error
	hooks *hook
	stop  func() bool // of the connection's context
	asked bool        // for its end, by Done or a hook
	awake bool        // the peer is watched, or was
}

// hook is one that waits for the end.
type hook struct {
	ctx  *requestContext
	fn   func()
	stop func() bool // remove
	next *hook
	used bool // in this request
}

// Done is closed when the request ends. From the first call on the peer is watched.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	if c.done == nil {
		if c.done = make(chan struct{}); c.err != nil {
			close(c.done)
		}
	}
	watches := c.ask()
	c.mu.Unlock()
	if watches {
		c.beginWatch()
	}
	return c.done
}

// ask has the context end with the connection's, and with the peer. The caller holds mu, and calls beginWatch without
// it if the result is true: what that starts may ask for this context, or wait for a task that does.
func (c *requestContext) ask() (watches bool) {
	if c.asked || c.err != nil {
		return false
	}
	c.asked = true
	if c.Context.Done() != nil {
		c.stop = context.AfterFunc(c.Context, func() { c.end(c.Context.Err()) })
	}
	return c.watch()
}

// watch has the end of the peer end the request, once the body was read. It is called as ask is.
func (c *requestContext) watch() (watches bool) {
	if c.x == nil || !c.asked || c.err != nil || c.awake || !c.x.bodyRead() {
		return false
	}
	c.awake = true
	if c.x.conn.own == nil {
		c.x.watcher = &watcher{c: c.x.conn, ctx: c}
	}
	return true
}

// beginWatch begins what watch has said.
func (c *requestContext) beginWatch() {
	if c.x.conn.own != nil {
		c.x.conn.watchOnLoop(c)
		return
	}
	c.mu.Lock()
	w := c.x.watcher
	c.mu.Unlock()
	if w != nil { // else unwatch was there first
		w.begin()
	}
}

// bodyEnded says that what the peer sends from here on is no body.
func (c *requestContext) bodyEnded() {
	c.mu.Lock()
	watches := c.watch()
	c.mu.Unlock()
	if watches {
		c.beginWatch()
	}
}

// Err is why the request has ended.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.done == nil {
		return c.Context.Err()
	}
	return c.err
}

// AfterFunc has package context tell contexts that are made of this one without a goroutine, and a loop without Done.
func (c *requestContext) AfterFunc(fn func()) (stop func() bool) {
	c.mu.Lock()
	watches := c.ask()
	if c.err != nil {
		c.mu.Unlock()
		go fn() // it asks for this context
		return func() bool { return false }
	}
	h := c.newHook()
	h.fn, h.next = fn, c.hooks
	c.hooks = h
	c.mu.Unlock()
	if watches {
		c.beginWatch()
	}
	return h.stop
}

// newHook gives the exchange's, unless it was given in this request: whoever has its stop may call that once more. The
// caller holds mu.
func (c *requestContext) newHook() *hook {
	if c.x == nil {
		return c.makeHook()
	}
	m := &c.x.memory
	if m.hook == nil {
		m.hook = c.makeHook()
	}
	if m.hook.used {
		return c.makeHook()
	}
	m.hook.used = true
	return m.hook
}

func (c *requestContext) makeHook() *hook {
	h := &hook{ctx: c}
	h.stop = h.remove
	return h
}

// remove has the hook not be told; false: it was, or is not there.
func (h *hook) remove() bool {
	c := h.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := &c.hooks; *at != nil; at = &(*at).next {
		if *at == h {
			*at, h.fn, h.next = h.next, nil, nil
			return c.err == nil
		}
	}
	return false
}

// closeNotify is a channel that says when the context ends.
func (c *requestContext) closeNotify() <-chan bool {
	ch := make(chan bool, 1)
	c.AfterFunc(func() { ch <- true })
	return ch
}

// end ends the context.
func (c *requestContext) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	var fns []func()
	for h := c.hooks; h != nil; h = h.next { // they stay: who has them may have the request
		fns = append(fns, h.fn)
	}
	c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	for _, fn := range fns { // a loop's, or package context's own, which don't wait
		fn()
	}
}
