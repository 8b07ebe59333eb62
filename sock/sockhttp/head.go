package sockhttp

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"ringo/internal/httptext"
)

// badRequest is an error that is answered without a handler; the peer sees its text.
type badRequest struct {
	code int
	text string // "": the code is enough
}

func (e *badRequest) Error() string {
	if e.text == "" {
		return http.StatusText(e.code)
	}
	return http.StatusText(e.code) + ": " + e.text
}

// The errors of heads. Those without a text have none in net/http either.
var (
	errBad         = &badRequest{http.StatusBadRequest, ""}
	errNoHost      = &badRequest{http.StatusBadRequest, "missing required Host header"}
	errHost        = &badRequest{http.StatusBadRequest, "malformed Host header"}
	errFieldName   = &badRequest{http.StatusBadRequest, "invalid header name"}
	errTooLarge    = &badRequest{http.StatusRequestHeaderFieldsTooLarge, ""}
	errCoding      = &badRequest{http.StatusNotImplemented, "Unsupported transfer encoding"}
	errVersion     = &badRequest{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	errExpectation = &badRequest{http.StatusExpectationFailed, ""}
)

// headEnd finds the end of a head, after the empty line that follows its fields. It returns 0 if that is not here yet;
// the next call continues at next.
func headEnd(p []byte, from int) (end, next int) {
	for i := from; ; {
		n := bytes.IndexByte(p[i:], '\n')
		if n < 0 {
			return 0, len(p) // bytes are scanned only once
		}
		nl := i + n
		switch i = nl + 1; {
		case i < len(p) && p[i] == '\n':
			return i + 1, 0
		case i+1 < len(p) && p[i] == '\r' && p[i+1] == '\n':
			return i + 2, 0
		case i == len(p), i+1 == len(p) && p[i] == '\r': // the next byte decides
			return 0, nl
		}
	}
}

// head is what a head says beside the fields of http.Request.
type head struct {
	length    int64 // of the body; -1: chunked
	persists  bool  // HTTP/1.0, and the peer asks to keep the connection
	continues bool  // Expect: 100-continue
}

// parseHead parses a whole head into r, whose URL must be allocated. What it keeps refers to m.
func parseHead(m *memory, r *http.Request) (h head, err error) {
	line, rest := cutLine(m.text)
	if err := parseRequestLine(line, r); err != nil {
		return h, err
	}
	var host hostLines
	err = parseFields(rest, m, &host)
	if r.Header = m.fields; err != nil {
		return h, err
	}
	if r.ProtoMajor != 1 && !(r.ProtoMajor == 2 && r.ProtoMinor == 0 && r.Method == "PRI" && r.RequestURI == "*") {
		return h, errVersion
	}
	if err := parseHost(host, r); err != nil {
		return h, err
	}
	if v := r.Header["Pragma"]; len(v) > 0 && v[0] == "no-cache" && r.Header["Cache-Control"] == nil {
		r.Header["Cache-Control"] = []string{"no-cache"} // as RFC 7234, 5.4 requires
	}
	h.persists, r.Close = connectionOf(r)
	if h.length, err = bodyLength(r); err != nil {
		return h, err
	}
	r.ContentLength = h.length
	if expect := r.Header["Expect"]; len(expect) > 0 {
		if h.continues = httptext.HasToken(expect, "100-continue"); !h.continues && expect[0] != "" {
			return h, errExpectation
		}
	}
	return h, nil
}

// cutLine returns the first line, without its end, and the rest.
func cutLine(text string) (line, rest string) {
	i := strings.IndexByte(text, '\n')
	if i < 0 {
		return text, ""
	}
	return strings.TrimSuffix(text[:i], "\r"), text[i+1:]
}

func parseRequestLine(line string, r *http.Request) error {
	method, line, ok := strings.Cut(line, " ")
	target, proto, ok2 := strings.Cut(line, " ")
	if !ok || !ok2 || !isToken(method) {
		return errBad
	}
	switch proto {
	case "HTTP/1.1":
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	case "HTTP/1.0":
		r.Proto, r.ProtoMajor = "HTTP/1.0", 1
	default:
		if r.ProtoMajor, r.ProtoMinor, ok = http.ParseHTTPVersion(proto); !ok {
			return errBad
		}
		r.Proto = proto
	}
	r.Method, r.RequestURI = known(method), target
	return parseTarget(target, r)
}

// known returns a method as a constant if it is a common one, so that the head's text is not kept for it.
func known(method string) string {
	switch method {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	}
	return method
}

// parseTarget is url.ParseRequestURI, without its cost if the path contains nothing that needs it.
func parseTarget(target string, r *http.Request) error {
	if path, query, ok := plainTarget(target); ok {
		*r.URL = url.URL{Path: path, RawQuery: query, ForceQuery: query == "" && len(path) < len(target)}
		return nil
	}
	authority := r.Method == http.MethodConnect && !strings.HasPrefix(target, "/")
	if authority {
		target = "http://" + target
	}
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Opaque != "" { // such as "a:80", which may be meant as an authority
		return errBad
	}
	if authority {
		u.Scheme = ""
	}
	*r.URL = *u
	return nil
}

// plainTarget splits a target whose path needs no decoding.
func plainTarget(target string) (path, query string, ok bool) {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
		return "", "", false
	}
	for i := 1; i < len(target); i++ {
		switch c := target[i]; {
		case chars[c]&pathChar != 0:
		case c == '?':
			for _, c := range []byte(target[i+1:]) {
				if c <= ' ' || c == 0x7f || c == '#' {
					return "", "", false
				}
			}
			return target[:i], target[i+1:], true
		default:
			return "", "", false
		}
	}
	return target, "", true
}

// hostLines are the Host lines, which http.Request.Header does not have.
type hostLines struct {
	value string // of the last one
	n     int
}

// parseFields parses the lines up to the empty one into m's fields, and the Host lines into host, unless it is nil.
func parseFields(text string, m *memory, host *hostLines) error {
	left := strings.Count(text, "\n") - 1
	m.many = left > fieldsMax
	most := left
	if host != nil {
		most-- // of the usual one Host line
	}
	most = min(max(most, 0), fieldsMax)
	if m.fields == nil {
		m.fields = make(http.Header, most)
	}
	if len(m.values) < most {
		m.values = make([]string, most)
	}
	for values := m.values; ; left-- {
		line, rest := cutLine(text)
		if text = rest; line == "" {
			return nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errBad
		}
		key, ok := canonical(name)
		if !ok {
			return nameError(name)
		}
		if value = httptext.Trim(value); !isValue(value) {
			return errBad
		}
		if isFolded(text) {
			if value, text, ok = unfold(key, value, text); !ok {
				return errBad
			}
		}
		if key == "Host" && host != nil {
			host.value, host.n = value, host.n+1
			continue
		}
		values = addField(m.fields, key, value, values, left)
	}
}

// addField adds a line to a header. If it is the first of its name, its place is the first of values, of which addField
// returns the others. Where there is none left, more are made: for those lines that are left, but not for as many as a
// peer may send, since most may have the same name.
func addField(h http.Header, key, value string, values []string, left int) []string {
	if before, ok := h[key]; ok {
		h[key] = append(before, value)
		return values
	}
	if len(values) == 0 {
		values = make([]string, min(max(left, 1), fieldsMax))
	}
	values[0] = value
	h[key] = values[:1:1]
	return values[1:]
}

// nameError returns the error for a name that is not a token.
func nameError(name string) error {
	if strings.TrimLeft(name, " ") == name && isToken(strings.ReplaceAll(name, " ", "")) {
		return errFieldName
	}
	return errBad
}

// isFolded reports whether the next line continues the one before.
func isFolded(text string) bool { return text != "" && (text[0] == ' ' || text[0] == '\t') }

// unfold adds the lines that continue a field to its value. Fields that decide where a request ends must not be
// continued.
func unfold(key, value, text string) (all, rest string, ok bool) {
	switch key {
	case "Host", "Content-Length", "Transfer-Encoding":
		return "", "", false
	}
	var b strings.Builder // one for all lines: a peer may send very many
	for b.WriteString(value); isFolded(text); {
		var line string
		line, text = cutLine(text)
		if line = httptext.Trim(line); !isValue(line) {
			return "", "", false
		}
		b.WriteByte(' ')
		b.WriteString(line)
	}
	return strings.TrimLeft(b.String(), " \t"), text, true
}

// parseHost sets the request's host.
func parseHost(host hostLines, r *http.Request) error {
	switch {
	case host.n > 1:
		return errBad
	case host.n == 0 && r.ProtoMajor == 1 && r.ProtoMinor >= 1 && r.Method != http.MethodConnect:
		return errNoHost
	case host.n == 1 && !isHost(host.value), !isHost(r.URL.Host): // a target may be a whole URL
		return errHost
	}
	if r.Host = r.URL.Host; r.Host == "" {
		r.Host = host.value
	}
	return nil
}

// connectionOf returns what the peer asks for the connection.
func connectionOf(r *http.Request) (keepAlive, wantsClose bool) {
	values := r.Header["Connection"]
	wantsClose = len(values) > 0 && httptext.HasToken(values, "close")
	if r.ProtoMajor != 1 {
		return false, true
	}
	if r.ProtoMinor > 0 {
		return false, wantsClose
	}
	keepAlive = len(values) > 0 && httptext.HasToken(values, "keep-alive")
	return keepAlive, wantsClose || !keepAlive
}

// bodyLength returns the length of the body, -1 if it is chunked. What could be understood in two ways is refused.
func bodyLength(r *http.Request) (n int64, err error) {
	lengths := r.Header["Content-Length"]
	if codings, ok := r.Header["Transfer-Encoding"]; ok {
		switch {
		case r.ProtoMajor == 1 && r.ProtoMinor == 0, len(lengths) > 0:
			return 0, errBad
		case len(codings) != 1 || !httptext.EqualFold(codings[0], "chunked"):
			return 0, errCoding
		}
		delete(r.Header, "Transfer-Encoding")
		r.TransferEncoding = []string{"chunked"}
		return -1, declareTrailers(r)
	}
	if len(lengths) == 0 {
		return 0, nil
	}
	for _, other := range lengths[1:] {
		if other != lengths[0] {
			return 0, errBad
		}
	}
	r.Header["Content-Length"] = lengths[:1:1]
	u, err := strconv.ParseUint(lengths[0], 10, 63)
	if err != nil {
		return 0, errBad
	}
	return int64(u), nil
}

// declareTrailers adds the keys of announced trailers to r.Trailer.
func declareTrailers(r *http.Request) error {
	values, ok := r.Header["Trailer"]
	if !ok {
		return nil
	}
	delete(r.Header, "Trailer")
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = httptext.Trim(name); name == "" {
				continue
			}
			key := http.CanonicalHeaderKey(name)
			if key == "Transfer-Encoding" || key == "Trailer" || key == "Content-Length" {
				return errBad
			}
			if r.Trailer == nil {
				r.Trailer = make(http.Header)
			}
			r.Trailer[key] = nil
		}
	}
	return nil
}

// errTrailer ends a body whose trailers are malformed.
var errTrailer = errors.New("http: malformed trailer after chunked body")
