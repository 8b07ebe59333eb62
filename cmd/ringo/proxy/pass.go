package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"ringo"
	"ringo/sock"
)

// pass handles a request: it passes it on to an upstream, and the answer back. It runs in a task of the connection's
// loop.
func (w *web) pass(rw http.ResponseWriter, r *http.Request) {
	w.requests.Add(1)
	v := w.visits(r)
	if v != nil {
		l, _ := ringo.Current()
		defer w.keeps.over(l, v)
	}
	if r.Method == http.MethodConnect { // asks for a tunnel, and not for what an upstream has
		refuse(rw, v, http.StatusMethodNotAllowed)
		return
	}
	us, status := w.to.ofRequest(r)
	if us == nil {
		refuse(rw, v, status)
		return
	}
	rw.Header()["Content-Type"] = nil // else one is guessed where the upstream says none
	var body *lent
	if r.Body == http.NoBody {
		r.Body = nil
	} else { // else the answer would wait for all of the request's body
		http.NewResponseController(rw).EnableFullDuplex()
		body = &lent{ReadCloser: r.Body, v: v}
		r.Body = body
		defer func() { body.over = true }()
	}
	t := tripFor(rw, r, v)
	if body != nil {
		t.asks(body)
	}
	upgrade := w.rewrite(r, t)
	i := w.watch(rw, r, v, body)
	defer i.stop()
	asked := r.WithContext(t.context(i.context(r, &t.trace))) // visits keep r; this copy stays on the stack
	if host := w.o.asked.host; host != "" {
		asked.Host = host
	}
	a, err := w.ask(asked, t, us, v)
	if err != nil {
		w.fail(rw, asked, v, err)
		return
	}
	whole, rest := false, a.Body // goOn sets a.Body to nil
	defer func() {
		if rest.Close(); whole {
			t.ends(r)
		}
	}()
	i.begins()
	if a.StatusCode == http.StatusSwitchingProtocols {
		w.goOn(rw, asked, v, i, a, upgrade)
		return
	}
	w.answer(rw, asked, v, i, a)
	whole = true
}

// refuse answers, with status, a request that goes to no upstream.
func refuse(rw http.ResponseWriter, v *visit, status int) {
	v.answers(status)
	v.ends(endRefused, nil)
	http.Error(rw, fmt.Sprint(status, " ", http.StatusText(status)), status)
}

// lent is a client's request body, lent to a transport: once the handler has returned, reads fail, and Close does
// nothing, since transports close a body even after a dial that failed, and another try needs it.
type lent struct {
	io.ReadCloser
	v       *visit
	i       *webIdler // nil: there is no -idle
	err     error     // of a read that failed by the client; nil: none has
	over    bool
	reading bool      // a Read is under way
	late    bool      // -idle has ended the request since the body did not come
	cut     bool      // a read failed since this program ends, or cancelled it
	asks    time.Time // since when 100 Continue is awaited; zero: it is not, or has come
}

func (l *lent) Read(p []byte) (int, error) {
	if l.over {
		return 0, http.ErrBodyReadAfterClose
	}
	if !l.asks.IsZero() {
		if on, _ := ringo.Current(); on.Now().Sub(l.asks) < continueTime { // so there is an answer, or will be none
			return 0, on.Sleep(math.MaxInt64) // until the transport gives up: the client is not told to go on
		}
	}
	l.reading = true
	n, err := l.ReadCloser.Read(p)
	l.reading = false
	l.i.moves(n)
	switch {
	case isOfProgram(err):
		l.cut = true
	case err != io.EOF:
		l.err = err
	}
	if l.v != nil {
		l.v.reads(n, err)
	}
	return n, err
}

func (l *lent) Close() error { return nil }

// answer passes an upstream's answer back to the client: head, body and trailers.
func (w *web) answer(rw http.ResponseWriter, r *http.Request, v *visit, i *webIdler, a *http.Response) {
	dropOfConnection(a.Header)
	w.o.answered.apply(a.Header)
	h := rw.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	dropOfMessage(a.Trailer)
	said := len(a.Trailer)
	if said > 0 {
		names := make([]string, 0, said)
		for name := range a.Trailer {
			names = append(names, name)
		}
		h["Trailer"] = []string{strings.Join(names, ", ")}
	}
	v.answers(a.StatusCode)
	rw.WriteHeader(a.StatusCode)
	if err := w.copyBody(rw, r, v, i, a); err != nil {
		panic(http.ErrAbortHandler) // or the client takes it for whole
	}
	a.Body.Close() // which knows trailers then
	dropOfMessage(a.Trailer)
	if len(a.Trailer) == 0 {
		return
	}
	http.NewResponseController(rw).Flush() // trailers need a chunked body
	for name, values := range a.Trailer {
		if len(a.Trailer) != said {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
}

// holder is a ResponseWriter of package sockhttp. WriteHeld gives what it holds to the connection, which sends that
// once the task parks, or together with what is written before.
type holder interface{ WriteHeld() error }

// copyBody copies an answer's body to the client. What the server holds of it goes to the connection before it may wait
// for more of the body and, if isStream says that the client may wait for each piece, before each Read.
func (w *web) copyBody(rw http.ResponseWriter, r *http.Request, v *visit, i *webIdler, a *http.Response) error {
	if a.Body == http.NoBody {
		return nil
	}
	stream, left := isStream(a), a.ContentLength
	p := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(p)
	for {
		if stream || left > 0 && a.Body.(*answer).Buffered() == 0 {
			rw.(holder).WriteHeld()
		}
		n, err := a.Body.Read(p[:])
		left -= int64(n)
		i.moves(n)
		if n > 0 {
			n, err := rw.Write(p[:n])
			i.moves(n)
			v.writes(n)
			if err != nil {
				v.ends(endClient, err)
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			err = w.reason(r, err)
			if v != nil {
				v.ends(causeOfAnswer(r, err), err)
				w.keeps.fails(v.u, v.why)
			}
			if !w.isOver(r, err) {
				w.ends.say("answer to a request of %v breaks off: %v", r.RemoteAddr, err)
			}
			return err
		}
	}
}

// isStream reports whether the client may wait for each piece of an answer: its length is unknown, or it is an event
// stream.
func isStream(a *http.Response) bool {
	if a.ContentLength < 0 {
		return true
	}
	sort := a.Header["Content-Type"]
	if len(sort) == 0 {
		return false
	}
	const events = "text/event-stream"
	if len(sort[0]) < len(events) || !isFold(sort[0][:len(events)], events) { // cheaper than to parse the type
		return false
	}
	base, _, _ := mime.ParseMediaType(sort[0])
	return base == events
}

// blocks has the buffers by which copyBody copies.
var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

const blockBytes = 32 << 10

// errUpgrade is the error of an answer 101 that switches to a protocol that the client has not asked for.
var errUpgrade = errors.New("an upstream goes on with a protocol that was not asked for")

// goOn passes on an upgrade: it sends the client the head of the answer 101, then copies in both directions until both
// have ended.
func (w *web) goOn(rw http.ResponseWriter, r *http.Request, v *visit, i *webIdler, a *http.Response, upgrade string) {
	both, ok := a.Body.(*switched)
	if !ok || !areAmong(upgradeOf(a.Header), upgrade) {
		w.fail(rw, r, v, errUpgrade)
		return
	}
	c, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		w.fail(rw, r, v, err)
		return
	}
	defer c.Close()
	one, other := endOf(c, endClient), endOf(both.Conn, endUpstream)
	watch := i.isTunnel(one, other)
	v.answers(a.StatusCode)
	w.o.answered.apply(a.Header)
	a.Body, a.Request = nil, nil // the head alone, which has no Content-Length, also for a POST
	if err := errors.Join(a.Write(buffered), buffered.Flush()); err != nil {
		v.ends(endClient, err)
		reset(one, other)
		return
	}
	l, _ := ringo.Current()
	up := l.Go(func() { w.move(c.RemoteAddr(), v, watch, other, one) })
	w.move(c.RemoteAddr(), v, watch, one, other)
	up.Wait()
	v.counts(one.got, other.got)
	if v != nil {
		w.keeps.fails(v.u, v.why)
	}
}

// endOf returns an end for a connection that was upgraded: the sock.Conn below c, and c itself, or a layer of it, where
// that has TLS or unread bytes. gone is the cause if that side breaks the connection.
func endOf(c net.Conn, gone cause) *end {
	e := &end{gone: gone}
	for e.Conn == nil {
		switch of := c.(type) {
		case *sock.Conn:
			e.Conn = of
		case interface{ NetConn() net.Conn }:
			if b, ok := c.(interface{ Buffered() int }); e.over == nil && (!ok || b.Buffered() > 0) {
				e.over = c.(session)
			}
			c = of.NetConn()
		default:
			panic(fmt.Sprintf("proxy: %T is over no connection of package sock", c))
		}
	}
	return e
}

// isOfProgram reports whether err comes from the end of this program, or from the cancellation of the waiting task.
func isOfProgram(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, ringo.ErrEnded)
}

// isOver reports whether a request failed since its client has gone or this program ends. A request that -idle has
// ended is not over in this sense.
func (w *web) isOver(r *http.Request, err error) bool {
	return !errors.Is(err, errIdle) && (causeOfAnswer(r, err) == endClient || r.Context().Err() != nil ||
		errors.Is(err, context.Canceled))
}

// fail answers a request for which no upstream has an answer: with 408 or 400 if the client's body was late or broken,
// 504 after a timeout, 503 if all upstreams are at their max, else 502. It writes a line unless the client is the
// cause, or has gone.
func (w *web) fail(rw http.ResponseWriter, r *http.Request, v *visit, err error) {
	err = w.reason(r, err)
	v.ends(causeOfAnswer(r, err), err)
	body, _ := r.Body.(*lent)
	ofClient := body != nil && (body.err != nil || body.late)
	status := http.StatusBadGateway
	switch {
	case ofClient && body.late:
		status = http.StatusRequestTimeout
	case ofClient:
		status = http.StatusBadRequest
	case isTimeout(err), errors.Is(err, errIdle):
		status = http.StatusGatewayTimeout
	case errors.Is(err, errFull):
		status = http.StatusServiceUnavailable
	}
	if !ofClient && !w.isOver(r, err) {
		w.failed.Add(1)
		w.ends.say("request of %v is answered with %d: %v", r.RemoteAddr, status, err)
	}
	v.answers(status)
	http.Error(rw, http.StatusText(status), status)
}
