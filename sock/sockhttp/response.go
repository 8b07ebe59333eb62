package sockhttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"ringo"
	"ringo/internal/httptext"
	"ringo/sock"
)

// answer is what the http.ResponseWriters of all protocols have: what the handler has set and written so far.
type answer struct {
	header   http.Header // the handler's; nil: it has not called Header
	spare    http.Header // memory for header; nil: a new one
	sent     *fields     // the header at WriteHeader; nil: empty
	status   int         // 0: WriteHeader was not called
	length   int64       // Content-Length; -1: unknown
	written  int64
	held     *[]byte // the first bytes, in scratch memory; nil: none were written
	trailers []string
	done     bool // the handler has returned
}

// response is the http.ResponseWriter of an HTTP/1 request.
//
// The first bytes that a handler writes stay in held, up to holdMax. If the handler returns before there are more, the
// answer has a Content-Length; otherwise it is chunked, or ends with the connection.
type response struct {
	answer
	x   *exchange
	out *[]byte // bytes to be written next, in scratch memory

	persists   bool // HTTP/1.0, and the peer asks to keep the connection
	headed     bool // the head was sent, or is in out
	chunked    bool
	noLength   bool // the handler's Content-Length was invalid
	close      bool // the connection ends with the answer
	hijacked   bool
	fullDuplex bool
	last       bool // the peer has asked to close the connection, even if the handler changes Request.Close
	failed     error
	ask        *ask // nil: the peer sends the body without waiting
}

// ask is for a peer that waits for 100 Continue. The body's reader may be another goroutine than the handler's.
type ask struct {
	mu   ringo.Mutex
	done bool // 100 Continue was sent, or it is too late
}

// holdMax is how much of a body is held until the handler returns.
const holdMax = 2048

// sniffMax is how many bytes of a body its type is detected from.
const sniffMax = 512

// errHandlerReturned is the error of calls after the handler has returned.
var errHandlerReturned = errors.New("sockhttp: the handler of this ResponseWriter has returned")

// Header returns the header map that WriteHeader sends.
func (w *answer) Header() http.Header {
	if w.header == nil {
		if w.header, w.spare = w.spare, nil; w.header == nil {
			w.header = make(http.Header)
		}
	}
	return w.header
}

// WriteHeader sends an answer's status and header, with the first of its body; one of 1xx at once.
func (w *response) WriteHeader(status int) {
	switch {
	case w.hijacked:
		w.x.conn.logf("http: response.WriteHeader on hijacked connection from %s", caller())
		return
	case w.status != 0:
		w.x.conn.logf("http: superfluous response.WriteHeader call from %s", caller())
		return
	}
	checkStatus(status)
	if status <= http.StatusSwitchingProtocols || status > 199 { // after a 1xx the peer still waits for 100
		w.answers()
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.status = status // what is set from here on may be trailers
	if len(w.header) == 0 {
		return
	}
	w.sent = fieldsOf(w.header)
	if length := w.sent.get("Content-Length"); length != "" {
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil || n < 0 {
			w.x.conn.logf("http: invalid Content-Length of %q", length)
			delete(w.header, "Content-Length")
			w.sent.drop("Content-Length")
			w.noLength = true
			return
		}
		w.length = n
	}
}

// checkStatus panics for an invalid status.
func checkStatus(status int) {
	if status < 100 || status > 999 {
		panic("invalid WriteHeader code " + strconv.Itoa(status))
	}
}

// caller returns the first caller outside of this package and net/http.
func caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		ours := strings.HasPrefix(f.Function, "ringo/sock/sockhttp.") || strings.HasPrefix(f.Function, "net/http.")
		if !more || !ours {
			return fmt.Sprintf("%s (%s:%d)", f.Function, path.Base(f.File), f.Line)
		}
	}
}

// inform sends an informational answer, which another follows.
func (w *response) inform(status int) {
	out := w.take()
	out = appendStatus(out, &w.x.made, status)
	sent := fieldsOf(w.header)
	sent.drop("Content-Length")
	sent.drop("Transfer-Encoding")
	w.put(append(sent.append(out), "\r\n"...))
	sent.release()
	w.push()
}

// askBody sends 100 Continue if the peer waits for it.
func (w *response) askBody() error {
	if w.ask == nil {
		return nil
	}
	w.ask.mu.Lock()
	defer w.ask.mu.Unlock()
	if w.ask.done {
		return nil
	}
	w.ask.done = true
	return w.x.conn.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), w.x.conn.patience())
}

// answers notes that it is too late for 100 Continue, after waiting for one that is being sent.
func (w *response) answers() {
	if w.ask != nil {
		w.ask.mu.Lock()
		w.ask.done = true
		w.ask.mu.Unlock()
	}
}

// Write writes some of the body.
func (w *response) Write(p []byte) (int, error) {
	if err := w.mayWrite(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if held := w.hold(len(p), holdMax); held != nil {
		*held = append(*held, p...)
		return len(p), nil
	}
	return w.send(p)
}

// WriteString is Write without a copy of what is held.
func (w *response) WriteString(s string) (int, error) {
	if err := w.mayWrite(len(s)); err != nil || s == "" {
		return 0, err
	}
	if held := w.hold(len(s), holdMax); held != nil {
		*held = append(*held, s...)
		return len(s), nil
	}
	return w.send([]byte(s))
}

// hold returns where n more bytes may be held; nil if that would be more than most.
func (w *answer) hold(n, most int) *[]byte {
	if w.holds()+n > most {
		return nil
	}
	if w.held == nil {
		w.held = take()
	}
	return w.held
}

// holds returns how many bytes are held.
func (w *answer) holds() int {
	if w.held == nil {
		return 0
	}
	return len(*w.held)
}

// letGo drops what is held.
func (w *answer) letGo() {
	if w.held != nil {
		give(w.held)
		w.held = nil
	}
}

// mayWrite checks a write of n bytes, and counts them.
func (w *response) mayWrite(n int) error {
	switch {
	case w.hijacked:
		if n > 0 {
			w.x.conn.logf("http: response.Write on hijacked connection from %s", caller())
		}
		return http.ErrHijacked
	case w.done:
		return errHandlerReturned
	case w.failed != nil:
		return w.failed
	}
	if w.answers(); w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

// send sends what is held, and then p.
func (w *response) send(p []byte) (int, error) {
	first := p
	if w.held != nil {
		first = *w.held
	}
	w.sendHead(first)
	if w.x.made.Method == http.MethodHead {
		w.letGo()
		return len(p), w.failed
	}
	n, size := w.holds()+len(p), len(p)
	if n == 0 {
		return 0, w.failed
	}
	out := w.take()
	if w.chunked {
		out = strconv.AppendInt(out, int64(n), 16)
		out = append(out, "\r\n"...)
	}
	if w.held != nil {
		out = append(out, *w.held...)
		w.letGo()
	}
	if len(p) <= holdMax { // one call for all
		out = append(out, p...)
		p = nil
	}
	w.put(out)
	if len(p) > 0 {
		w.push()
		w.writeOut(p, w.x.conn.patience())
	}
	if w.chunked {
		w.put(append(w.take(), "\r\n"...))
	}
	if len(*w.out) > scratchSize/2 {
		w.push()
	}
	if w.failed != nil {
		return 0, w.failed
	}
	return size, nil
}

// Flush sends what was written.
func (w *response) Flush() { w.FlushError() }

// WriteHeld gives what is held to the connection, which sends it with what follows or, at the latest, when the task
// parks. It is for the proxy, which does not know whether the next read of a body will park.
func (w *response) WriteHeld() error {
	if err := w.mayWrite(0); err != nil {
		return err
	}
	w.send(nil)
	return w.push()
}

// FlushError is Flush, and returns the error.
func (w *response) FlushError() error {
	if err := w.WriteHeld(); err != nil {
		return err
	}
	if f, ok := w.x.conn.c.(*sock.Conn); ok {
		d := w.x.conn.patience()
		if d > 0 {
			w.x.conn.giveTime(d)
		}
		if w.fail(f.Flush()); d > 0 && w.failed == nil {
			w.x.conn.giveTime(0)
		}
	}
	return w.failed
}

// ReadFrom sends all that a reader returns; the kernel sends files.
func (w *response) ReadFrom(r io.Reader) (n int64, err error) {
	if n, err, ok := w.readContent(r); ok {
		return n, err
	}
	mem := take()
	defer give(mem)
	room := (*mem)[:cap(*mem)]
	if !w.headed { // nothing is sent before there is a byte, and the first ones show the type
		n, err = io.CopyBuffer(justWriter{w}, io.LimitReader(r, sniffMax), room)
		if err != nil || n < sniffMax {
			return n, err
		}
	}
	if err := w.mayWrite(0); err != nil {
		return n, err
	}
	w.send(nil)
	to, ok := w.x.conn.c.(io.ReaderFrom)
	if !ok || w.chunked || w.x.made.Method == http.MethodHead || !bodyAllowed(w.status) || w.x.conn.patience() > 0 {
		k, err := io.CopyBuffer(justWriter{w}, r, room)
		return n + k, err
	}
	if err := w.push(); err != nil {
		return n, err
	}
	if left := w.length - w.written; w.length >= 0 {
		if lr, ok := r.(*io.LimitedReader); !ok || lr.N > left { // a second LimitedReader would prevent sendfile
			r = io.LimitReader(r, left)
		}
	}
	k, err := to.ReadFrom(r)
	w.written += k
	w.fail(err)
	return n + k, err
}

// justWriter hides the other methods of a response.
type justWriter struct{ w *response }

func (j justWriter) Write(p []byte) (int, error) { return j.w.Write(p) }

// finish ends the answer after the handler has returned.
func (w *response) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.done = true
	w.send(nil)
	if w.chunked {
		out := append(w.take(), "0\r\n"...)
		sent := fieldsOf(w.trailer())
		w.put(append(sent.append(out), "\r\n"...))
		sent.release()
	}
	w.push()
	if w.out != nil {
		give(w.out)
		w.out = nil
	}
	r := &w.x.made
	short := r.Method != http.MethodHead && w.length >= 0 && bodyAllowed(w.status) && w.length != w.written
	if short || w.failed != nil {
		w.close = true
	}
	removeForm(r)
}

// removeForm removes the temporary files of an answered request.
func removeForm(r *http.Request) {
	if r.MultipartForm != nil {
		r.MultipartForm.RemoveAll()
	}
}

// sendHead makes the answer's head; p is the first bytes of its body.
func (w *response) sendHead(p []byte) {
	if w.headed {
		return
	}
	w.headed = true
	var set extra
	h, r := w.sent, &w.x.made
	trailers := w.declareTrailers(h)
	alive, head := w.x.conn.keepsAlive(), r.Method == http.MethodHead
	coding, connection := h.get("Transfer-Encoding"), h.get("Connection")
	closes := h.hasToken("Connection", "close")
	changes := w.status == http.StatusSwitchingProtocols && h.hasToken("Connection", "upgrade")
	if w.done && !w.noLength && !trailers && coding == "" && bodyAllowed(w.status) && !h.has("Content-Length") &&
		(!head || len(p) > 0) {
		w.length = int64(w.holds())
		set.length = w.length
		set.hasLength = true
	}
	hasLength := w.length >= 0
	if w.persists && (head || hasLength || !bodyAllowed(w.status)) {
		if !h.has("Connection") {
			set.connection = "keep-alive"
		}
	} else if !r.ProtoAtLeast(1, 1) || w.last {
		w.close = true
	}
	if connection == "close" || !alive || w.ask != nil && !w.x.bodyRead() {
		w.close = true
	}
	if w.x.hasBody() && !w.close && !w.fullDuplex && !w.x.body.settle() {
		w.close = true
		h.drop("Connection")
		set.connection = "close"
	}
	if !bodyAllowed(w.status) {
		h.drop("Content-Length")
		if w.status == http.StatusNotModified {
			h.drop("Content-Type")
		}
	} else if coding == "" && len(p) > 0 && !h.has("Content-Type") && h.get("Content-Encoding") == "" {
		set.contentType = contentType(p)
	}
	set.date = !h.has("Date")
	if hasLength && coding != "" && coding != "identity" {
		w.x.conn.logf("http: WriteHeader called with both Transfer-Encoding of %q and a Content-Length of %d",
			coding, w.length)
		h.drop("Content-Length")
		hasLength = false
	}
	switch {
	case head || !bodyAllowed(w.status), hasLength:
		h.drop("Transfer-Encoding")
	case !r.ProtoAtLeast(1, 1):
		w.close = true
		h.drop("Transfer-Encoding")
	case coding == "identity":
		w.close = true
		h.drop("Transfer-Encoding")
	default:
		w.chunked, set.coding = true, "chunked"
		h.drop("Content-Length")
		if coding == "chunked" {
			h.drop("Transfer-Encoding")
		}
	}
	if w.close && (!alive || !closes) && !changes {
		h.drop("Connection")
		if set.connection = ""; r.ProtoAtLeast(1, 1) {
			set.connection = "close"
		}
	}
	out := appendStatus(w.take(), r, w.status)
	out = h.append(out)
	w.put(append(set.append(out), "\r\n"...))
	h.release()
	w.sent = nil
}

// endsWithConn reports whether the answer has begun, and only the end of the connection shows where it ends.
func (w *response) endsWithConn() bool {
	return w.headed && !w.chunked && w.length < 0 && bodyAllowed(w.status) && w.x.made.Method != http.MethodHead
}

// contentType is http.DetectContentType, without its cost for a text that begins like no other type.
func contentType(p []byte) string {
	p = p[:min(len(p), sniffMax)]
	if chars[p[0]]&loneChar == 0 || len(p) > 35 && p[34] == 'L' && p[35] == 'P' { // a font
		return http.DetectContentType(p)
	}
	for _, c := range p {
		if chars[c]&textChar == 0 {
			return http.DetectContentType(p)
		}
	}
	return "text/plain; charset=utf-8"
}

// settle keeps the rest of a body from being taken for the next request: it reads the rest, or returns false if that is
// too much.
func (b *body) settle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended.Load():
		return true
	case b.err != nil, !b.chunked && b.left >= drainMax:
		return false
	}
	b.closed.Store(true) // so that further reads do not report the end
	return b.drain()
}

// declareTrailers notes the trailers that are announced, and reports whether there will be any.
func (w *answer) declareTrailers(h *fields) (any bool) {
	for f := range h.all() {
		if strings.HasPrefix(f.key, http.TrailerPrefix) {
			any = true
		}
		if f.key != "Trailer" || f.none {
			continue
		}
		any = true
		for name := range strings.SplitSeq(f.value, ",") {
			if key := http.CanonicalHeaderKey(httptext.Trim(name)); mayTrail(key) {
				w.trailers = append(w.trailers, key)
			}
		}
	}
	return any
}

// mayTrail reports whether a field may come after the body: RFC 9110, 6.5.1.
func mayTrail(key string) bool {
	if strings.HasPrefix(key, "If-") || !isToken(key) {
		return false
	}
	switch key {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range",
		"Content-Type", "Expect", "Host", "Keep-Alive", "Max-Forwards", "Pragma", "Proxy-Authenticate",
		"Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te", "Trailer", "Transfer-Encoding",
		"Www-Authenticate":
		return false
	}
	return true
}

// trailer returns the fields that come after the body.
func (w *answer) trailer() http.Header {
	var t http.Header
	set := func(key string, values []string) {
		if t == nil {
			t = make(http.Header)
		}
		t[key] = append(t[key], values...)
	}
	for key, values := range w.header {
		if key, ok := strings.CutPrefix(key, http.TrailerPrefix); ok {
			set(key, values)
		}
	}
	for _, key := range w.trailers {
		if values := w.header[key]; len(values) > 0 {
			set(key, values)
		}
	}
	return t
}

// extra is the fields that the server adds.
type extra struct {
	contentType, connection, coding string
	length                          int64
	hasLength, date                 bool
}

func (e *extra) append(out []byte) []byte {
	if e.date {
		out = append(append(append(out, "Date: "...), dateNow()...), "\r\n"...)
	}
	if e.hasLength {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), e.length, 10), "\r\n"...)
	}
	if e.contentType != "" {
		out = append(append(append(out, "Content-Type: "...), e.contentType...), "\r\n"...)
	}
	if e.connection != "" {
		out = append(append(append(out, "Connection: "...), e.connection...), "\r\n"...)
	}
	if e.coding != "" {
		out = append(append(append(out, "Transfer-Encoding: "...), e.coding...), "\r\n"...)
	}
	return out
}

// appendStatus appends a status line.
func appendStatus(out []byte, r *http.Request, status int) []byte {
	switch {
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		out = append(out, "HTTP/1.0 "...)
	case status == http.StatusOK:
		return append(out, "HTTP/1.1 200 OK\r\n"...)
	default:
		out = append(out, "HTTP/1.1 "...)
	}
	text := http.StatusText(status)
	out = strconv.AppendInt(out, int64(status), 10)
	if text == "" {
		out = strconv.AppendInt(append(out, " status code "...), int64(status), 10)
	} else {
		out = append(append(out, ' '), text...)
	}
	return append(out, "\r\n"...)
}

// take returns the memory of out, which put takes back.
func (w *response) take() []byte {
	if w.out == nil {
		w.out = take()
	}
	return *w.out
}

func (w *response) put(p []byte) { *w.out = p }

// push writes what is in out.
func (w *response) push() error { return w.pushIn(w.x.conn.patience()) }

// pushIn is push, to a peer that may take nothing for d.
func (w *response) pushIn(d time.Duration) error {
	if w.out != nil && len(*w.out) > 0 {
		w.writeOut(*w.out, d)
		*w.out = (*w.out)[:0]
	}
	return w.failed
}

// writeOut writes to the connection, unless a write has failed. The peer may take nothing for d.
func (w *response) writeOut(p []byte, d time.Duration) {
	if w.failed == nil {
		w.fail(w.x.conn.write(p, d))
	}
}

func (w *response) fail(err error) {
	if err != nil && w.failed == nil {
		w.failed = err
		w.x.ctx.end(context.Canceled)
	}
}

// Hijack lets the handler take over the connection.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case w.done:
		panic("sockhttp: Hijack after the handler has returned")
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	}
	w.answers()
	if w.status != 0 {
		w.send(nil)
		w.push()
	}
	c, err := w.x.conn.hijack(w.x)
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// SetReadDeadline and SetWriteDeadline set the connection's; EnableFullDuplex lets the handler read the body when it
// has begun to answer. They are for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	w.x.conn.timed.Or(timedReads)
	return w.x.conn.setReadDeadline(t)
}
func (w *response) SetWriteDeadline(t time.Time) error {
	w.x.conn.timed.Or(timedWrites)
	return w.x.conn.setWriteDeadline(t)
}
func (w *response) EnableFullDuplex() error {
	w.fullDuplex = true
	return nil
}

// CloseNotify is the method of http.CloseNotifier, for programs that do not use contexts.
func (w *response) CloseNotify() <-chan bool {
	return w.x.ctx.closeNotify()
}
