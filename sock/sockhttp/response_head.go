package sockhttp

import (
	"net/http"
	"strconv"
)

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
