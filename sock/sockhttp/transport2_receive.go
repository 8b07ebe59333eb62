package sockhttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
)

// request2 is a client's stream: a request and its answer.
type request2 struct {
	stream2
	on    *client2
	x     *call
	since uint64 // how many frames of streams had come when it began

	// Under the connection's mu.
	infos    []*http.Response // 1xx answers that the caller has not looked at
	infoLeft int64            // bytes that those may have
	answer   *http.Response   // nil: its head has not come
	bare     bool             // the answer has no body
	done     bool             // the whole request was sent
	cut      bool             // the rest need not be sent once the answer is complete
	news     lot              // for the caller, which waits for changes of these
	limit    alarm            // for the answer's head
}

// takeBlock takes the head of an answer, or trailers.
func (h *client2) takeBlock(b *block2) error {
	h.pinging = false
	if !h.begun(b.id) {
		return &connectionError{codeProtocol, "HEADERS on a stream that has not begun"}
	}
	st := h.streams[b.id]
	if st == nil { // it was on its way when the stream ended
		return h.waste(wasteLate)
	}
	if one := st.owner.(*request2); one.answer == nil {
		return one.takeAnswer(b)
	}
	return h.takeTrailers(st, b)
}

// takeAnswer takes the head of an answer.
func (st *request2) takeAnswer(b *block2) error {
	h := st.on
	bad := func(why string) error { return &streamError{b.id, codeProtocol, why} }
	switch {
	case b.wrong != "":
		return bad(b.wrong)
	case b.truncated:
		return bad("response header list larger than advertised limit")
	case len(b.fields) == 0 || b.fields[0].Name != ":status" || len(b.fields) > 1 && b.fields[1].IsPseudo():
		return bad("malformed response from server: missing status pseudo header")
	}
	text := b.fields[0].Value
	status, err := strconv.ParseUint(text, 10, 16)
	if err != nil || len(text) != 3 || status < 100 {
		return bad("malformed response from server: malformed non-numeric status pseudo header")
	}
	a := &http.Response{Status: text + " " + http.StatusText(int(status)), StatusCode: int(status), Proto: "HTTP/2.0",
		ProtoMajor: 2, Header: headerOf(b.fields[1:]), ContentLength: -1}
	if key := badField(a.Header); key != "" {
		return bad("a field of HTTP/1: " + key)
	}
	a.Trailer = namedTrailers(a.Header)
	if status < 200 {
		return st.takeInfo(a, int64(h.limits.list-b.room), b.ends)
	}
	isHead := st.x.r.Method == http.MethodHead
	st.body.all = &a.Trailer
	if lengths := a.Header["Content-Length"]; len(lengths) > 0 {
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil || len(lengths) > 1 {
			return bad("a bad Content-Length")
		}
		a.ContentLength = int64(n)
		st.body.declared = a.ContentLength
	} else if b.ends && !isHead {
		a.ContentLength = 0
	}
	if isHead || !bodyAllowed(a.StatusCode) {
		st.body.declared = 0
	}
	st.answer, st.bare, st.headIn = a, b.ends && st.body.declared <= 0, true
	st.limit.stop()
	st.news.wakeAll()
	h.wasted.earns(wasteFrame)
	if b.ends {
		return st.endInput()
	}
	return nil
}

// takeInfo takes a 1xx answer, which another follows.
func (st *request2) takeInfo(a *http.Response, size int64, ends bool) error {
	if st.infoLeft -= size; st.infoLeft < 0 || ends || a.StatusCode == http.StatusSwitchingProtocols {
		return &streamError{st.id, codeProtocol, "an answer of 1xx that is too long, ends the stream, or is 101"}
	}
	st.infos = append(st.infos, a)
	st.news.wakeAll()
	return nil
}

// stalls does nothing: a request's time is the caller's.
func (st *request2) stalls(bool) {}

// inputEnds is called when the answer is complete. The rest of the request is sent, unless it is no longer wanted.
func (st *request2) inputEnds() {
	switch {
	case st.done:
		st.h.close(&st.stream2, errEnded)
	case st.cut:
		st.h.reset(st.id, codeNone, errEnded)
	}
	st.news.wakeAll() // an answer to HEAD is complete
}

// left is called when the stream has left the connection. A body's bytes that have come can still be read.
func (st *request2) left(why error) {
	st.limit.stop()
	st.body.end(why)
	st.news.wakeAll()
	if s := st.x.sending; s != nil && !st.done && s.own == nil {
		s.task.Cancel()
	}
	if reset, ok := why.(*resetError); ok && reset.code == codeProtocol { // as net/http: retry elsewhere
		st.on.leave()
	}
	st.on.freed()
}

// here reports whether there is something for the caller that waits for the answer. An answer to HEAD is waited for to
// its end, since its caller has nothing to close.
func (st *request2) here() bool {
	if st.gone != nil || len(st.infos) > 0 {
		return true
	}
	return st.answer != nil && (st.x.r.Method != http.MethodHead || st.ends)
}

// receive2 waits for the answer.
func (x *call) receive2() (*http.Response, error) {
	st := x.st
	h := st.h
	for first := true; ; {
		h.mu.Lock()
		for !st.here() {
			if err := h.wait(&st.news, &st.stream2, false); err != nil {
				h.unlock()
				return nil, err
			}
		}
		infos, answer, gone := st.infos, st.answer, st.gone
		st.infos = nil
		h.unlock()
		if first && (len(infos) > 0 || answer != nil) {
			if first = false; x.trace != nil && x.trace.GotFirstResponseByte != nil {
				x.trace.GotFirstResponseByte()
			}
		}
		for _, info := range infos {
			if err := x.heard(info); err != nil {
				return nil, err
			}
		}
		switch {
		case answer != nil && (st.x.r.Method != http.MethodHead || st.isOver()):
			return x.headed2(answer), nil
		case x.sending != nil && x.sending.own != nil:
			return nil, x.sending.own
		case gone != nil:
			return nil, gone
		}
	}
}

// isOver reports whether the answer is complete, or the stream has ended.
func (st *request2) isOver() bool {
	st.h.mu.Lock()
	defer st.h.mu.Unlock()
	return st.ends || st.gone != nil
}

// heard passes a 1xx answer on to the hooks, and to the task that sends the body.
func (x *call) heard(info *http.Response) error {
	if info.StatusCode == http.StatusContinue {
		if x.trace != nil && x.trace.Got100Continue != nil {
			x.trace.Got100Continue()
		}
		if s := x.sending; s != nil && s.may != nil {
			s.may.TrySend(true)
		}
	}
	if x.trace == nil || x.trace.Got1xxResponse == nil {
		return nil
	}
	h := x.st.h // the hook itself limits how many there are
	h.mu.Lock()
	x.st.infoLeft = x.t.headMax()
	h.mu.Unlock()
	return x.trace.Got1xxResponse(info.StatusCode, textproto.MIMEHeader(info.Header))
}

// headed2 is called when the head of the final answer has come. If its status is not of success, the rest of the
// request is not sent once the answer is complete.
func (x *call) headed2(a *http.Response) *http.Response {
	x.answered = true
	a.TLS = x.c.tls
	if s := x.sending; s != nil {
		wanted := a.StatusCode < 300
		if s.may != nil {
			s.may.TrySend(wanted)
		}
		if !wanted {
			x.st.cutSending()
		}
	}
	return x.deliver2(a)
}

// cutSending makes the sending of the request end with the answer.
func (st *request2) cutSending() {
	st.h.mu.Lock()
	if st.cut = true; st.ends && st.gone == nil {
		st.inputEnds()
	}
	st.h.unlock()
}

// deliver2 completes the answer for the caller.
func (x *call) deliver2(a *http.Response) *http.Response {
	body := &answerBody{x: x, from: &x.st.body, keep: true}
	if x.st.bare || x.r.Method == http.MethodHead {
		x.st.h.mu.Lock()
		over := x.st.gone != nil
		x.st.h.mu.Unlock()
		if a.Body = http.NoBody; !over { // Close still ends the sending
			a.Body = body
		}
		return a
	}
	x.giveBody(a, body)
	return a
}

// limitAnswer limits the time until the head of the answer.
func (st *request2) limitAnswer() {
	h := st.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if st.gone == nil && st.answer == nil {
		st.limit.init(h, st.late)
		st.limit.set(h.now().Add(st.x.t.ResponseHeaderTimeout))
	}
}

func (st *request2) late() {
	if st.answer == nil {
		st.cancel(errHeadLate)
	}
}

// drop ends the stream, if it has not ended, and drops unread bytes. Any caller.
func (st *request2) drop(why error) {
	h := st.h
	h.mu.Lock()
	st.body.stop(why)
	st.cancel(why)
	h.unlock()
}

// cancel resets the stream. If nothing has come since the stream began, it sends a PING, and the stream counts until
// the peer shows that it is there: otherwise a connection without a peer would take requests forever. The caller holds
// mu.
func (st *request2) cancel(why error) {
	h := st.on
	if st.gone != nil {
		return
	}
	if st.since == h.frames && !h.pinging && !h.closing && !h.conn.single {
		if h.resets++; h.resets == 1 {
			h.out = append(appendFrame(h.out, framePing, 0, 0, 8), pingText...)
		}
	}
	h.reset(st.id, codeCancel, why)
}

// mayRetry2 reports whether a request may be made again on another connection. As in net/http, it may if the server has
// not processed it.
func (x *call) mayRetry2(err error) (bool, error) {
	var reset *resetError
	again := err == errUnusable || err == errGotGoAway || errors.As(err, &reset) &&
		(reset.code == codeRefused || reset.code == codeProtocol)
	if !again || x.l.Canceled() {
		return false, err
	}
	if x.body != nil && x.r.GetBody == nil && err != errUnusable {
		return false, fmt.Errorf("http2: Transport: cannot retry err [%w] after Request.Body was written; "+
			"define Request.GetBody to avoid this error", err)
	}
	return true, err
}
