package sockhttp

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"

	"ringo/internal/httptext"
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
