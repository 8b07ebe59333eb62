package sockhttp

import (
	"context"
	"sync"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
)

// watchOnLoop has the request's context end when the peer does, until unwatch. It is for a peer that has sent its body,
// and for a loop's own connection. It waits for the loop, on which a task may be about to lock the context's mutex: the
// caller has not. A request that has ended meanwhile is not watched any more.
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

// limitBody ends the time for a body, which is here.
func (c *conn) limitBody() {
	if c.s.ReadTimeout > 0 {
		c.limitReads(0)
	}
}

// unwatch ends that, and nobody begins it any more.
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

// watcher reads ahead from a connection of another kind, to learn of its end.
type watcher struct {
	c    *conn
	ctx  *requestContext
	mu   sync.Mutex    // of what follows; held for moments
	over bool          // it is not to begin, or what it finds is nobody's
	task *ringo.Task   // that reads, on a loop
	done chan struct{} // closed by the goroutine that reads, elsewhere
}

// begin begins, unless it has ended.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.c.limitBody()
	b := w.c.c.(*buffered)
	read := func() {
		if b.Buffered() > 0 { // of the next request, behind which an end is not seen
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

// end waits until nobody reads ahead any more.
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
	w.c.c.SetReadDeadline(time.Time{})
}
