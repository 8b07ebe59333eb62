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

// served2 is a stream that is served. It is made anew for each, as exchange is for HTTP/1.
type served2 struct {
	stream2
	s    *server2
	made http.Request // as the server has made it, whatever the handler makes of it
	url  url.URL
	ctx  requestContext
	res  response2

	instead http.HandlerFunc // answers in the place of the program's handler

	// Under the connection's mu.
	readLimit alarm
	sendLimit alarm
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
		st.limitSend(h.now().Add(d))
	}
	if h.running < int(h.limits.streams) {
		h.running++
		h.start(st)
		return nil
	}
	// Streams that were reset have handlers that still run.
	if len(h.queue) >= queueMax*int(h.limits.streams) {
		return errCalm
	}
	h.queue = append(h.queue, st)
	return nil
}

// queueMax is how many times as many streams as may be open may wait for a handler to end.
const queueMax = 4

// Run is the stream as a task: it calls the handler, and ends the answer.
func (st *served2) Run() {
	returned, tell := false, st.s.conn.answered
	defer func() { st.s.handled(st, returned) }() // also if the handler ends its goroutine
	if st.instead != nil {
		tell = st.s.conn.refused
		returned = st.s.conn.call(st.instead, &st.res, &st.made)
	} else {
		returned, _ = st.s.conn.run(&st.res, &st.made)
	}
	st.ctx.end(context.Canceled)
	if returned {
		st.res.finish()
		tell(&st.made, st.res.status, st.res.written)
	}
	removeForm(&st.made)
}

// Code is that of the program's handler.
func (st *served2) Code() code.Func { return code.Of((*served2).Run) }

// handled is for when a handler has ended, so that another may begin.
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

// inputEnds has nothing to do: the answer is sent all the same.
func (st *served2) inputEnds() {}

// left is for when the stream is none of the connection's any more.
func (st *served2) left(why error) {
	st.readLimit.stop()
	st.sendLimit.stop()
	st.body.cut(why)
	st.ctx.end(context.Canceled)
}

// answered is for when all of an answer is out.
func (h *server2) answered(st *served2) {
	h.wasted.earns(wasteFrame)
	if !st.ends { // RFC 9113, 8.1: the peer need not send the rest
		h.reset(st.id, codeNone, errEnded)
		return
	}
	h.close(&st.stream2, errEnded)
}

// limitRead sets until when the body may be read, limitSend until when the answer may be sent.
func (st *served2) limitRead(t time.Time) { st.limit(&st.readLimit, t, st.readLate) }
func (st *served2) limitSend(t time.Time) { st.limit(&st.sendLimit, t, st.sendLate) }

func (st *served2) limit(a *alarm, t time.Time, fn func()) {
	if a.fn == nil {
		a.l, a.fn = st.h.ping.l, fn
	}
	if st.gone == nil {
		a.set(t)
	}
}

func (st *served2) readLate() {
	st.h.mu.Lock()
	st.body.end(fmt.Errorf("%w", os.ErrDeadlineExceeded)) // so that nobody counts on the bare one
	st.h.unlock()
}

func (st *served2) sendLate() {
	h := st.h
	h.mu.Lock()
	if st.gone == nil {
		h.reset(st.id, codeInternal, os.ErrDeadlineExceeded)
	}
	h.unlock()
}
