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

// A webIdler is an idler of a request. It watches as long as it is bodies that are waited for: from a connection to an
// upstream until that has the whole request, and from the answer's head on. Between these it is for -answer.
type webIdler struct {
	idler
	rw     http.ResponseWriter
	v      *visit
	body   *lent // nil: the request has none
	cancel context.CancelCauseFunc
	begun  bool // there is an answer
}

// errIdle is why a request was ended.
var errIdle = errors.New("nothing has moved")

// clientKey is by what a request's context has the client's connection, with -idle.
type clientKey struct{}

// watch makes one for a request; nil: it may take for ever.
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

// context is what a request goes on with, so that endRequest ends that.
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

// moves notes that bytes have.
func (i *webIdler) moves(n int) {
	if i != nil && n > 0 {
		i.moved = i.l.Now()
	}
}

// rests ends the watch, unless there is an answer.
func (i *webIdler) rests() {
	if !i.begun {
		i.idler.stop()
	}
}

// begins has what follows watched, since there is an answer.
func (i *webIdler) begins() {
	if i == nil {
		return
	}
	i.begun = true
	if i.timer == nil {
		i.watch()
	}
}

// isTunnel has both ends of an upgraded connection reset if nothing moves: what watches is for move.
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

// endRequest ends a request: with its answer, if there is one; else the client gets 408 if it is its body that is late,
// and 504 if the upstream does not take it.
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

// stop ends it with the request.
func (i *webIdler) stop() {
	if i == nil {
		return
	}
	i.idler.stop()
	i.cancel(nil)
}

// reason is why a request has failed, which is not a client's end if it was -idle.
func (w *web) reason(r *http.Request, err error) error {
	if context.Cause(r.Context()) == errIdle {
		return fmt.Errorf("%w for %v", errIdle, w.o.idle)
	}
	return err
}
