package sockhttp

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// response2 is the http.ResponseWriter of an HTTP/2 request.
//
// The first bytes that a handler writes stay in held, up to holdMax2. If the handler returns before there are more, the
// answer has a Content-Length, and is made at once.
type response2 struct {
	answer
	st     *served2
	headed bool // HEADERS were sent
	ended  bool // END_STREAM was sent
	failed error
}

// holdMax2 is how much of a body is held, as much as in net/http.
const holdMax2 = 4096

// WriteHeader sends an answer's status and header, with the first of its body; one of 1xx at once.
func (w *response2) WriteHeader(status int) {
	if w.status != 0 || w.done {
		return
	}
	checkStatus(status)
	if status < 200 {
		w.inform(status)
		return
	}
	w.status = status
	if len(w.header) == 0 {
		return
	}
	w.sent = fieldsOf(w.header)
	w.declareTrailers(w.sent)
	if length := w.sent.get("Content-Length"); length != "" {
		if n, err := strconv.ParseUint(length, 10, 63); err == nil {
			w.length = int64(n)
			w.sent.keepFirst("Content-Length")
		} else {
			w.sent.drop("Content-Length")
		}
	}
}

// inform sends an informational answer, which another follows.
func (w *response2) inform(status int) {
	h := w.st.h
	sent := fieldsOf(w.header)
	sent.drop("Content-Length")
	sent.drop("Transfer-Encoding")
	h.mu.Lock()
	if !w.headed && h.awaitRoom(&w.st.stream2) == nil {
		if status == http.StatusContinue {
			w.st.body.continues = nil
		}
		h.encode(":status", strconv.Itoa(status))
		h.encodeFields(sent)
		h.sendHead(&w.st.stream2, false)
		h.flush()
	}
	h.unlock()
	sent.release()
}

// sendContinue sends 100 Continue to a peer that waits for it. The caller holds mu.
func (st *served2) sendContinue() {
	if st.lost() == nil && !st.res.headed {
		st.h.encode(":status", "100")
		st.h.sendHead(&st.stream2, false)
		st.h.flush()
	}
}

// Write writes some of the body.
func (w *response2) Write(p []byte) (int, error) {
	if err := w.mayWrite(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if held := w.hold(len(p), holdMax2); held != nil {
		*held = append(*held, p...)
		return len(p), nil
	}
	if w.send(p); w.failed != nil {
		return 0, w.failed
	}
	return len(p), nil
}

// WriteString is Write without a copy of what is held.
func (w *response2) WriteString(s string) (int, error) {
	if len(s) <= holdMax2 {
		if err := w.mayWrite(len(s)); err != nil || s == "" {
			return 0, err
		}
		if held := w.hold(len(s), holdMax2); held != nil {
			*held = append(*held, s...)
			return len(s), nil
		}
		if w.send([]byte(s)); w.failed != nil {
			return 0, w.failed
		}
		return len(s), nil
	}
	return w.Write([]byte(s))
}

// mayWrite checks a write of n bytes, and counts them.
func (w *response2) mayWrite(n int) error {
	switch {
	case w.done:
		return errHandlerReturned
	case w.failed != nil:
		return w.failed
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	if w.written += int64(n); w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

// Flush sends what was written.
func (w *response2) Flush() { w.FlushError() }

// FlushError is Flush, and returns the error.
func (w *response2) FlushError() error { return w.WriteHeld() }

// WriteHeld gives what is held to the connection, which sends it from a task of its own.
func (w *response2) WriteHeld() error {
	if err := w.mayWrite(0); err != nil {
		return err
	}
	w.send(nil)
	return w.failed
}

// ReadFrom sends all that a reader returns.
func (w *response2) ReadFrom(r io.Reader) (n int64, err error) {
	mem := take()
	defer give(mem)
	return io.CopyBuffer(struct{ io.Writer }{w}, r, (*mem)[:cap(*mem)])
}

// finish ends the answer after the handler has returned.
func (w *response2) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.done = true
	if w.failed == nil {
		w.send(nil)
	}
	w.letGo()
}

// send sends what is held, then p, and then the end if the handler has returned.
func (w *response2) send(p []byte) {
	h, st := w.st.s, w.st
	var trailers *fields
	if w.done && len(w.header) > 0 {
		t := w.trailer()
		maps.DeleteFunc(t, func(key string, _ []string) bool { return !mayTrail(key) })
		trailers = fieldsOf(t)
	}
	var first []byte
	if w.held != nil {
		first = *w.held
	}
	h.mu.Lock()
	err := st.lost()
	if err == nil && !w.headed {
		if err = h.awaitRoom(&st.stream2); err == nil && len(first) > 0 {
			w.sendHead(first, trailers)
		} else if err == nil {
			w.sendHead(p, trailers)
		}
	}
	isHead := st.made.Method == http.MethodHead
	if w.ended || isHead {
		err = nil // even if the stream has ended
	} else {
		if err == nil && len(first) > 0 {
			err = h.sendData(&st.stream2, first, w.done && len(p) == 0 && trailers == nil)
		}
		if err == nil && (len(p) > 0 || w.done && len(first) == 0 && trailers == nil) {
			err = h.sendData(&st.stream2, p, w.done && trailers == nil)
		}
		if err == nil && trailers != nil {
			err = h.awaitRoom(&st.stream2)
		}
		if err == nil && trailers != nil {
			h.encodeFields(trailers)
			h.sendHead(&st.stream2, true)
			h.flush()
		}
		if err == nil && w.done {
			h.answered(st)
		}
	}
	h.unlock()
	trailers.release()
	if w.failed = err; len(first) > 0 {
		*w.held = first[:0]
	}
}

// sendHead sends the answer's head; p is the first bytes of its body.
func (w *response2) sendHead(p []byte, trailers *fields) {
	w.headed = true
	h, st, f := w.st.s, w.st, w.sent
	isHead := st.made.Method == http.MethodHead
	h.encodeStatus(w.status)
	if connection := f.get("Connection"); connection != "" {
		f.drop("Connection")
		if connection == "close" {
			h.goAway(codeNone)
		}
	}
	h.encodeFields(f)
	if bodyAllowed(w.status) {
		if len(p) > 0 && !f.has("Content-Type") && f.get("Content-Encoding") == "" {
			h.encode("content-type", contentType(p))
		}
		if w.done && !f.has("Content-Length") && (len(p) > 0 || !isHead) {
			h.encode("content-length", lengthText(len(p)))
		}
	}
	if !f.has("Date") {
		h.encode("date", dateNow())
	}
	w.ended = isHead || w.done && len(p) == 0 && trailers == nil && len(w.trailers) == 0
	h.sendHead(&st.stream2, w.ended)
	f.release()
	if w.sent = nil; w.ended {
		h.answered(st)
	}
	h.flush()
}

// lengthText returns a length as in a field.
func lengthText(n int) string { return strconv.Itoa(n) }

// encode encodes a field.
func (h *conn2) encode(name, value string) {
	h.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
}

// encodeStatus encodes a status.
func (h *conn2) encodeStatus(status int) {
	if status == http.StatusOK {
		h.encode(":status", "200")
	} else {
		h.encode(":status", strconv.Itoa(status))
	}
}

// encodeFields encodes the fields that HTTP/2 allows.
func (h *conn2) encodeFields(f *fields) {
	for one := range f.all() {
		name := lower(one.key)
		if one.none || !isLowerToken(name) || !isValue(one.value) ||
			name == "transfer-encoding" && one.value != "trailers" || one.key == "Connection" {
			continue
		}
		h.encode(name, one.value)
	}
}

// lower returns a field's name in lower case, as HTTP/2 needs it.
func lower(key string) string {
	if name, ok := lowered[key]; ok {
		return name
	}
	return strings.ToLower(key)
}

var lowered = func() map[string]string {
	all := make(map[string]string)
	for _, name := range []string{"accept", "accept-encoding", "accept-ranges", "age", "allow", "cache-control",
		"content-disposition", "content-encoding", "content-language", "content-length", "content-range",
		"content-security-policy", "content-type", "cookie", "date", "etag", "expires", "last-modified", "link",
		"location", "referrer-policy", "retry-after", "server", "set-cookie", "strict-transport-security", "trailer",
		"vary", "via", "www-authenticate", "x-content-type-options", "x-frame-options", "x-request-id"} {
		all[http.CanonicalHeaderKey(name)] = name
	}
	return all
}()

// SetReadDeadline and SetWriteDeadline are for http.ResponseController. They limit the time to read the body and to
// send the answer; a late answer resets the stream.
func (w *response2) SetReadDeadline(t time.Time) error {
	return w.limit(t, w.st.limitRead, w.st.readLate)
}
func (w *response2) SetWriteDeadline(t time.Time) error {
	w.st.h.mu.Lock()
	w.st.timed = true
	w.st.h.unlock()
	return w.limit(t, w.st.limitSend, w.st.sendLate)
}

func (w *response2) limit(t time.Time, set func(time.Time), late func()) error {
	if !t.IsZero() && w.st.s.conn.passed(t) {
		late()
		return nil
	}
	w.st.h.mu.Lock()
	set(t)
	w.st.h.unlock()
	return nil
}

// EnableFullDuplex does nothing: streams are full duplex.
func (w *response2) EnableFullDuplex() error { return nil }

// Push fails: clients no longer support it.
func (w *response2) Push(string, *http.PushOptions) error { return http.ErrNotSupported }

// CloseNotify is the method of http.CloseNotifier, for programs that do not use contexts.
func (w *response2) CloseNotify() <-chan bool {
	return w.st.ctx.closeNotify()
}
