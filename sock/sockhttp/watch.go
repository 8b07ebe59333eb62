package sockhttp

import (
	"context"
	"sync"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
)

// watchOnLoop makes the end of the peer end the request's context, until unwatch. It is for connections of sock.Serve,
// and is called once the peer has sent the request's body. It waits for the loop, on which a task may be about to lock
// the context's mutex, so the caller must not hold that. A request that has ended meanwhile is not watched.
func (c *conn) watchOnLoop(ctx *requestContext) {
	if (*loop.Loop)(c.loop).IsCurrent() {
		c.watchHere(ctx)
		return
	}
	c.loop.Call(func() error {
		c.watchHere(ctx)
		return nil
	})
}

// watchHere is watchOnLoop on the loop's thread.
func (c *conn) watchHere(ctx *requestContext) {
	if ctx.Err() != nil {
		return
	}
	c.limitBody()
	m := &ctx.x.memory
	if m.gone == nil {
		m.gone = func() { ctx.end(context.Canceled) }
	}
	handle.Sockets.Ends(c.own, m.gone)
}

// limitBody ends the time limit for a body, which has come.
func (c *conn) limitBody() {
	if c.s.ReadTimeout > 0 {
		c.limitReads(0)
	}
}

// unwatch ends the watch of a request, and prevents a later one.
func (c *conn) unwatch(x *exchange) {
	x.ctx.mu.Lock()
	watched, w := x.ctx.awake, x.watcher
	x.ctx.awake, x.watcher = true, nil
	x.ctx.mu.Unlock()
	switch {
	case !watched:
	case c.own != nil:
		handle.Sockets.Ends(c.own, nil)
	case w != nil:
		w.end()
	}
}

// watcher reads ahead from a connection that sock.Serve does not serve, to notice its end.
type watcher struct {
	c    *conn
	ctx  *requestContext
	mu   sync.Mutex    // guards what follows; held only for moments
	over bool          // it must not begin, or its result no longer counts
	task *ringo.Task   // the task that reads, on a loop
	done chan struct{} // closed by the goroutine that reads, without a loop
}

// begin starts to read, unless the watcher has ended.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.c.limitBody()
	b := w.c.c.(*buffered)
	read := func() {
		if b.Buffered() > 0 { // a next request hides the peer's end
			return
		}
		err := b.fill(1)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil && !w.over {
			w.ctx.end(context.Canceled)
		}
	}
	if w.c.loop != nil {
		w.task = w.c.loop.Go(read)
		return
	}
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		read()
	}()
}

// end waits until the reading has ended.
func (w *watcher) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	if w.task == nil && w.done == nil {
		return
	}
	w.c.c.SetReadDeadline(time.Unix(1, 0))
	if w.done != nil {
		<-w.done
	} else {
		w.task.Wait()
	}
	w.c.setReadDeadline(time.Time{})
}
