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
	after []*func()
	stop  func() bool // of the connection's context
	awake bool        // the peer is watched, or was
}

// Done is closed when the request ends. From the first call on the peer is watched.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	onLoop := c.ask()
	c.mu.Unlock()
	if onLoop {
		c.x.conn.watchOnLoop(c)
	}
	return c.done
}

// ask makes done. The caller holds mu, and calls watchOnLoop without it if the result is true.
func (c *requestContext) ask() (onLoop bool) {
	if c.done != nil {
		return false
	}
	c.done = make(chan struct{})
	if c.err != nil {
		close(c.done)
		return false
	}
	if c.Context.Done() != nil {
		c.stop = context.AfterFunc(c.Context, func() { c.end(c.Context.Err()) })
	}
	return c.watch()
}

// watch has the end of the peer end the request, once the body was read. It is called as ask is.
func (c *requestContext) watch() (onLoop bool) {
	if c.x == nil || c.done == nil || c.err != nil || c.awake || !c.x.bodyRead() {
		return false
	}
	c.awake = true
	if c.x.conn.own != nil {
		return true
	}
	c.x.conn.watch(c)
	return false
}

// bodyEnded says that what the peer sends from here on is no body.
func (c *requestContext) bodyEnded() {
	c.mu.Lock()
	onLoop := c.watch()
	c.mu.Unlock()
	if onLoop {
		c.x.conn.watchOnLoop(c)
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

// AfterFunc has package context tell contexts that are made of this one without a goroutine.
func (c *requestContext) AfterFunc(fn func()) (stop func() bool) {
	c.mu.Lock()
	onLoop := c.ask()
	if c.err != nil {
		c.mu.Unlock()
		go fn() // it asks for this context
		return func() bool { return false }
	}
	p := &fn
	c.after = append(c.after, p)
	c.mu.Unlock()
	if onLoop {
		c.x.conn.watchOnLoop(c)
	}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, q := range c.after {
			if q == p {
				c.after = append(c.after[:i], c.after[i+1:]...)
				return true
			}
		}
		return false
	}
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
	after := c.after
	c.after = nil
	c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	for _, fn := range after { // package context's own, which don't wait
		(*fn)()
	}
}
