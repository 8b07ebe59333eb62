package sockhttp

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"ringo"
	"ringo/sock"
)

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
