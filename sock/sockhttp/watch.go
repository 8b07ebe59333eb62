package sockhttp

import (
	"context"
	"sync"
	"time"

	"ringo"
	"ringo/internal/handle"
)

// watch has the request's context end when the peer does, until unwatch. It is for a peer that has sent its body.
func (c *conn) watch(ctx *requestContext) {
	if c.s.ReadTimeout > 0 { // which is for the body
		c.c.SetReadDeadline(time.Time{})
	}
	if c.own != nil {
		handle.Sockets.Ends(c.own, func() { ctx.end(context.Canceled) })
		return
	}
	w := &watcher{c: c, ctx: ctx}
	ctx.x.watcher = w
	w.begin()
}

// unwatch ends that.
func (c *conn) unwatch(x *exchange) {
	x.ctx.mu.Lock()
	watched, w := x.ctx.awake, x.watcher
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
	mu   sync.Mutex
	over bool
	task *ringo.Task   // that reads, on a loop
	done chan struct{} // closed by the goroutine that reads, elsewhere
}

func (w *watcher) begin() {
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
		w.c.loop.Post(func() { w.task = w.c.loop.Go(read) })
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
	w.c.c.SetReadDeadline(time.Unix(1, 0))
	if w.done != nil {
		<-w.done
	} else if w.task != nil {
		w.task.Wait()
	}
	w.c.c.SetReadDeadline(time.Time{})
}
