package sockhttp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"ringo/internal/rt/code"
)

// served2 is a served stream. It is made anew for each request, like exchange in HTTP/1.
type served2 struct {
	stream2
	s    *server2
	made http.Request // as the server has made it, even if handlers change theirs
	url  url.URL
	ctx  requestContext
	res  response2

	instead http.HandlerFunc // answers instead of the program's handler

	// Under the connection's mu.
	readLimit alarm
	sendLimit alarm
	timed     bool // sendLimit is for the whole answer
}

// open begins a stream.
func (h *server2) open(st *served2) error {
	if h.streams[st.id] = &st.stream2; len(h.streams) == 1 {
		h.setState(http.StateActive)
		if h.conn.s.idleTimeout() > 0 {
			h.alarm.set(time.Time{})
		}
		h.takeOut()
	}
	if d := h.conn.s.ReadTimeout; d > 0 && !st.ends {
		st.limitRead(h.now().Add(d))
	}
	if d := h.conn.s.WriteTimeout; d > 0 {
		st.timed = true
		st.limitSend(h.now().Add(d))
	}
	if h.running < int(h.limits.streams) {
		h.running++
		h.start(st)
		return nil
	}
	// Handlers of streams that were reset are still running.
	if len(h.queue) >= queueMax*int(h.limits.streams) {
		return errCalm
	}
	h.queue = append(h.queue, st)
	return nil
}

// queueMax is how many streams may wait for a handler to return, as a multiple of those that may be open.
const queueMax = 4

// Run is the stream's task: it calls the handler, and ends the answer.
func (st *served2) Run() {
	returned, tell := false, st.s.conn.answered
	defer func() { st.s.handled(st, returned) }() // even if the handler ends its goroutine
	if st.instead != nil {
		tell = st.s.conn.refused
		returned = st.s.conn.call(st.instead, &st.res, &st.made)
	} else {
		returned, _ = st.s.conn.run(&st.res, &st.made)
	}
	st.ctx.end(context.Canceled)
	if returned {
		st.res.finish()
	}
	if st.res.status != 0 {
		tell(&st.made, st.res.status, st.res.written)
	}
	removeForm(&st.made)
}

// Code shows the task under the name of served2.
func (st *served2) Code() code.Func { return code.Of((*served2).Run) }

// handled is called when a handler has ended, so that another may begin.
func (h *server2) handled(st *served2, returned bool) {
	st.ctx.end(context.Canceled)
	h.mu.Lock()
	defer h.unlock()
	if st.gone == nil && (!returned || st.res.failed != nil) {
		h.reset(st.id, codeInternal, errClosed)
	}
	st.body.drop()
	h.running--
	for len(h.queue) > 0 && h.running < int(h.limits.streams) {
		next := h.queue[0]
		if h.queue = h.queue[1:]; next.gone == nil { // or it was reset before it began
			h.running++
			h.start(next)
		}
	}
}

// inputEnds does nothing: the answer is sent anyway.
func (st *served2) inputEnds() {}

// stalls limits the wait for a window, unless there is a deadline for the whole answer.
func (st *served2) stalls(on bool) {
	d := st.s.conn.s.WriteByteTimeout
	switch {
	case d <= 0 || st.timed:
	case on:
		st.limitSend(st.h.now().Add(d))
	default:
		st.limitSend(time.Time{})
	}
}

// left is called when the stream has left the connection.
func (st *served2) left(why error) {
	st.readLimit.stop()
	st.sendLimit.stop()
	st.body.cut(why)
	st.ctx.end(context.Canceled)
}

// answered is called when the whole answer was sent.
func (h *server2) answered(st *served2) {
	h.wasted.earns(wasteFrame)
	if !st.ends { // RFC 9113, 8.1: the peer need not send the rest
		h.reset(st.id, codeNone, errEnded)
		return
	}
	h.close(&st.stream2, errEnded)
}

// limitRead sets the deadline for reading the body, limitSend that for sending the answer.
func (st *served2) limitRead(t time.Time) { st.limit(&st.readLimit, t, st.readLate) }
func (st *served2) limitSend(t time.Time) { st.limit(&st.sendLimit, t, st.sendLate) }

func (st *served2) limit(a *alarm, t time.Time, fn func()) {
	if a.h == nil {
		a.init(st.h, fn)
	}
	if st.gone == nil {
		a.set(t)
	}
}

func (st *served2) readLate() {
	st.body.end(fmt.Errorf("%w", os.ErrDeadlineExceeded)) // wrapped, so that no program relies on the bare error
}

func (st *served2) sendLate() {
	h := st.h
	again := h.opened.Add(st.s.conn.s.WriteByteTimeout)
	if !st.timed && st.window > 0 && again.After(h.now()) { // the peer takes what others send
		st.limitSend(again)
	} else if st.gone == nil {
		h.reset(st.id, codeInternal, os.ErrDeadlineExceeded)
	}
}
