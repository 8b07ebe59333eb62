package sockhttp

import (
	"context"
	"sync"
)

// requestContext is the context of a request: it ends with the answer, with the peer, or with the connection's context.
// Its parts are made only when a handler asks for them.
type requestContext struct {
	context.Context // the connection's

	x     *exchange // nil: whatever serves it notices the peer's end
	mu    sync.Mutex
	done  chan struct{} // nil: not needed yet
	err   error
	hooks *hook
	stop  func() bool // of the AfterFunc of the connection's context
	asked bool        // for its end, by Done or a hook
	awake bool        // the peer is, or was, watched
}

// hook is a function that is called at the end.
type hook struct {
	ctx  *requestContext
	fn   func()
	stop func() bool // remove
	next *hook
	used bool // in this request
}

// Done returns a channel that is closed when the request ends. From the first call on the peer is watched.
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

// ask makes the context end with the connection's, and with the peer. The caller holds mu. If the result is true it has
// to call beginWatch after unlocking: that may call this context, or wait for a task that does.
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

// watch makes the end of the peer end the request, once the body was read. It is called like ask.
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

// beginWatch starts the watch that watch has asked for.
func (c *requestContext) beginWatch() {
	if c.x.conn.own != nil {
		c.x.conn.watchOnLoop(c)
		return
	}
	c.mu.Lock()
	w := c.x.watcher
	c.mu.Unlock()
	if w != nil { // else unwatch came first
		w.begin()
	}
}

// bodyEnded notes that further input does not belong to the body.
func (c *requestContext) bodyEnded() {
	c.mu.Lock()
	watches := c.watch()
	c.mu.Unlock()
	if watches {
		c.beginWatch()
	}
}

// Err returns why the request has ended.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.done == nil {
		return c.Context.Err()
	}
	return c.err
}

// AfterFunc lets package context propagate the end without a goroutine, and a loop without Done.
func (c *requestContext) AfterFunc(fn func()) (stop func() bool) {
	c.mu.Lock()
	watches := c.ask()
	if c.err != nil {
		c.mu.Unlock()
		go fn() // it calls this context
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

// newHook returns the exchange's hook, or a new one if that was used in this request: its stop may still be called. The
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

// remove removes the hook. It returns false if the hook was called, or is not there.
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

// closeNotify returns a channel that gets a value when the context ends.
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
	for h := c.hooks; h != nil; h = h.next { // they stay: a program that kept one may keep the request
		fns = append(fns, h.fn)
	}
	c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	for _, fn := range fns { // a loop's or package context's, which don't wait
		fn()
	}
}
