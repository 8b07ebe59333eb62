package sockhttp

import (
	"context"
	"sync"
	"time"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
)

// watch has the request's context end when the peer does, until unwatch. It is for a peer that has sent its body, and
// for connections that are not a loop's own.
func (c *conn) watch(ctx *requestContext) {
	c.limitBody()
	w := &watcher{c: c, ctx: ctx}
	ctx.x.watcher = w
	w.begin()
}

// watchOnLoop is watch for a loop's own connection. It waits for the loop, on which a task may be about to lock the
// context's mutex: the caller has not. A request that has ended meanwhile is not watched any more.
func (c *conn) watchOnLoop(ctx *requestContext) {
	watch := func() error {
		if ctx.Err() == nil {
			c.limitBody()
			handle.Sockets.Ends(c.own, func() { ctx.end(context.Canceled) })
		}
		return nil
	}
	if (*loop.Loop)(c.loop).IsCurrent() {
		watch()
	} else {
		c.loop.Call(watch)
	}
}

// limitBody ends the time for a body, which is here.
func (c *conn) limitBody() {
	if c.s.ReadTimeout > 0 {
		c.c.SetReadDeadline(time.Time{})
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
	w.c.c.SetReadDeadline(time.Unix(1, 0))
	if w.done != nil {
		<-w.done
	} else if w.task != nil {
		w.task.Wait()
	}
	w.c.c.SetReadDeadline(time.Time{})
}
