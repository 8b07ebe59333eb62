package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"

	"ringo"
)

// A webIdler is the idler of a request. It watches while bodies should move: from when there is a connection to the
// upstream until the request was written, if it has a body, and from the answer's head on. In between -answer is the
// bound.
type webIdler struct {
	idler
	rw     http.ResponseWriter
	v      *visit
	body   *lent // nil: the request has none
	cancel context.CancelCauseFunc
	begun  bool // there is an answer
}

// errIdle is the cause with which endRequest cancels a request.
var errIdle = errors.New("nothing has moved")

// clientKey is the key of the client's connection among a request context's values, with -idle.
type clientKey struct{}

// watch makes a webIdler for a request; nil: there is no -idle.
func (w *web) watch(rw http.ResponseWriter, r *http.Request, v *visit, body *lent) *webIdler {
	if w.o.idle == 0 {
		return nil
	}
	l, _ := ringo.Current()
	i := &webIdler{idler: idler{r: w.relay, l: l}, rw: rw, v: v, body: body}
	i.end = i.endRequest
	if r.ProtoMajor == 1 { // else acknowledgements are of other requests, too
		i.peers[0], _ = r.Context().Value(clientKey{}).(net.Conn)
	}
	if body != nil {
		body.i = i
	}
	return i
}

// context returns the context to send the request with, which endRequest can cancel, and hooks the trace so that the
// watch begins and ends.
func (i *webIdler) context(r *http.Request, trace *httptrace.ClientTrace) context.Context {
	if i == nil {
		return r.Context()
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	i.cancel = cancel
	opens := trace.GotConn
	trace.GotConn = func(of httptrace.GotConnInfo) {
		if opens != nil {
			opens(of)
		}
		i.peers[1] = of.Conn
		if i.body != nil && i.timer == nil {
			i.watch()
		}
	}
	trace.WroteRequest = func(httptrace.WroteRequestInfo) { i.rests() }
	return ctx
}

// moves notes that n bytes moved.
func (i *webIdler) moves(n int) {
	if i != nil && n > 0 {
		i.moved = i.l.Now()
	}
}

// rests stops the watch when the request was written, unless the answer has begun.
func (i *webIdler) rests() {
	if !i.begun {
		i.idler.stop()
	}
}

// begins starts the watch again, since the answer has begun.
func (i *webIdler) begins() {
	if i == nil {
		return
	}
	i.begun = true
	// The watch replaces WriteByteTimeout: it counts acknowledged bytes.
	http.NewResponseController(i.rw).SetWriteDeadline(time.Time{})
	if i.timer == nil {
		i.watch()
	}
}

// isTunnel turns a request's idler into that of an upgraded connection, which resets both ends if nothing moves. It
// returns the idler for move.
func (i *webIdler) isTunnel(one, other *end) *idler {
	if i == nil {
		return nil
	}
	i.peers = [...]net.Conn{one.stream(), other.stream()}
	i.end = func() {
		i.v.ends(endIdle, nil)
		i.r.ends.say("upgraded connection of %v is reset: nothing has moved for %v", one.RemoteAddr(), i.r.o.idle)
		reset(one, other)
	}
	return &i.idler
}

// endRequest ends an idle request. If its answer has begun, that breaks off. Else the client gets 408 if the proxy
// waits for the client's body, and 504 if the upstream does not take it.
func (i *webIdler) endRequest() {
	i.v.ends(endIdle, nil)
	past, rc := time.Unix(1, 0), http.NewResponseController(i.rw)
	if !i.begun && i.body.reading {
		i.body.late = true
		rc.SetReadDeadline(past)
		return
	}
	if i.begun {
		rc.SetReadDeadline(past)
		rc.SetWriteDeadline(past)
	}
	i.cancel(errIdle)
}

// stop ends the watch, at the end of the request. The server then has -idle to send the last bytes of the answer.
func (i *webIdler) stop() {
	if i == nil {
		return
	}
	i.idler.stop()
	i.cancel(nil)
	if i.begun {
		http.NewResponseController(i.rw).SetWriteDeadline(i.l.Now().Add(i.r.o.idle))
	}
}

// reason returns why a request failed: errIdle if -idle cancelled it, so that it does not look like a client that has
// gone; else err.
func (w *web) reason(r *http.Request, err error) error {
	if context.Cause(r.Context()) == errIdle {
		return fmt.Errorf("%w for %v", errIdle, w.o.idle)
	}
	return err
}
