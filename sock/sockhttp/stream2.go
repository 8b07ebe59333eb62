package sockhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"ringo/internal/rt/code"
)

// stream2 is a request of HTTP/2 and its answer. It is made anew for each, as exchange is for HTTP/1.
type stream2 struct {
	h    *conn2
	id   uint32
	made http.Request // as the server has made it, whatever the handler makes of it
	url  url.URL
	ctx  requestContext
	body body2
	res  response2

	instead http.HandlerFunc // answers in the place of the program's handler

	// Under the connection's mu.
	ends      bool  // the peer has sent all of it
	gone      error // why it is none of the connection's any more
	window    int64 // how many bytes of the answer's body the peer has room for
	inflow    inflow
	heads     bool // its handler waits to send a head
	readLimit alarm
	sendLimit alarm
}

// open begins a stream.
func (h *conn2) open(st *stream2) error {
	if h.streams[st.id] = st; len(h.streams) == 1 {
		h.setState(http.StateActive)
		if h.s.idleTimeout() > 0 {
			h.alarm.set(time.Time{})
		}
		h.takeOut()
	}
	if d := h.s.ReadTimeout; d > 0 && !st.ends {
		st.limitRead(h.now().Add(d))
	}
	if d := h.s.WriteTimeout; d > 0 {
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
func (st *stream2) Run() {
	returned := false
	defer func() { st.h.handled(st, returned) }() // also if the handler ends its goroutine
	if st.instead != nil {
		returned = st.h.call(st.instead, &st.res, &st.made)
	} else {
		returned, _ = st.h.run(&st.res, &st.made)
	}
	st.ctx.end(context.Canceled)
	if returned {
		st.res.finish()
		st.h.conn.answered(&st.made, st.res.status, st.res.written)
	}
	removeForm(&st.made)
}

// Code is that of the program's handler.
func (st *stream2) Code() code.Func { return code.Of((*stream2).Run) }

// handled is for when a handler has ended, so that another may begin.
func (h *conn2) handled(st *stream2, returned bool) {
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

// reset ends a stream with an error that the peer is told.
func (h *conn2) reset(id uint32, code errorCode, why error) {
	h.out = appendWord(h.out, frameReset, id, uint32(code))
	if st := h.streams[id]; st != nil {
		h.close(st, why)
	}
	if len(h.ended) == endedMax {
		h.ended = slices.Delete(h.ended, 0, endedMax/2)
	}
	h.ended = append(h.ended, id)
	h.flush()
}

// endedMax is how many streams are remembered that were reset.
const endedMax = 128

// close ends a stream. why is what its handler gets.
func (h *conn2) close(st *stream2, why error) {
	delete(h.streams, st.id)
	st.gone = why
	st.readLimit.stop()
	st.sendLimit.stop()
	st.body.cut(why)
	st.ctx.end(context.Canceled)
	h.writers.wake(func(of *stream2) bool { return of == st })
	h.wakeWriters() // it may have been woken for room that it does not take
	h.giveOut()
	if len(h.streams) > 0 || h.over {
		return
	}
	h.setState(http.StateIdle)
	if !h.keepsAlive() {
		h.goAway(codeNone)
	}
	h.rests()
}

// answered is for when all of an answer is out.
func (h *conn2) answered(st *stream2) {
	h.wasted.earns(wasteFrame)
	if !st.ends { // RFC 9113, 8.1: the peer need not send the rest
		h.reset(st.id, codeNone, errEnded)
		return
	}
	h.close(st, errEnded)
}

// endInput is for the end of what the peer sends.
func (st *stream2) endInput() error {
	st.ends = true
	b := &st.body
	if b.declared >= 0 && b.declared != b.got {
		b.end(fmt.Errorf("request declared a Content-Length of %d but only wrote %d bytes", b.declared, b.got))
		return &streamError{st.id, codeProtocol, "less than the declared Content-Length"}
	}
	b.end(errInputEnds)
	return nil
}

// limitRead sets until when the body may be read, limitSend until when the answer may be sent.
func (st *stream2) limitRead(t time.Time) { st.limit(&st.readLimit, t, st.readLate) }
func (st *stream2) limitSend(t time.Time) { st.limit(&st.sendLimit, t, st.sendLate) }

func (st *stream2) limit(a *alarm, t time.Time, fn func()) {
	if a.fn == nil {
		a.l, a.fn = st.h.alarm.l, fn
	}
	if st.gone == nil {
		a.set(t)
	}
}

func (st *stream2) readLate() {
	st.h.mu.Lock()
	st.body.end(fmt.Errorf("%w", os.ErrDeadlineExceeded)) // so that nobody counts on the bare one
	st.h.unlock()
}

func (st *stream2) sendLate() {
	h := st.h
	h.mu.Lock()
	if st.gone == nil {
		h.reset(st.id, codeInternal, os.ErrDeadlineExceeded)
	}
	h.unlock()
}

var errInputEnds = errors.New("http2: the input has ended")
