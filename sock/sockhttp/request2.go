package sockhttp

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// block2 is a head, or trailers, as far as its frames have come.
type block2 struct {
	open      bool // more is to come
	id        uint32
	ends      bool // the stream's input ends with it
	fields    []hpack.HeaderField
	room      uint32 // for fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts them
	regular   bool   // there was a field that is no pseudo-header
	truncated bool
	wrong     string // what is wrong; "": nothing
	code      errorCode
}

// takeHead takes HEADERS or CONTINUATION.
func (h *conn2) takeHead(f *frame) error {
	b := &h.block
	if f.kind == frameHeaders {
		if f.id%2 == 0 {
			return &connectionError{codeProtocol, "HEADERS on an even stream"}
		}
		clear(b.fields)
		*b = block2{open: true, id: f.id, ends: f.has(flagEndStream), fields: b.fields[:0], room: h.limits.list}
		h.decoder.SetEmitEnabled(true)
		if f.dependsOnItself {
			b.wrong, b.code = "a stream that depends on itself", codeProtocol
		}
	}
	p := f.payload
	if len(p) == 0 && !f.has(flagEndHeaders) || f.kind == frameContinuation {
		if err := h.waste(wasteFrame); err != nil {
			return err
		}
	}
	// What would be thrown away is not decoded, which costs more than to send it.
	if int64(len(p)) > 2*int64(b.room) || f.kind == frameContinuation && b.wrong != "" {
		return &connectionError{codeProtocol, "a head that is too long, or goes on after an error"}
	}
	if _, err := h.decoder.Write(p); err != nil {
		return &connectionError{codeCompression, err.Error()}
	}
	if !f.has(flagEndHeaders) {
		if d := h.s.headerTimeout(); d > 0 && f.kind == frameHeaders {
			h.alarm.set(h.now().Add(d))
		}
		return nil
	}
	if err := h.decoder.Close(); err != nil {
		return &connectionError{codeCompression, err.Error()}
	}
	b.open = false
	if f.kind == frameContinuation {
		if h.s.headerTimeout() > 0 {
			h.alarm.set(time.Time{})
		}
		h.rests()
	}
	return h.takeBlock(b)
}

// field takes a field that was decoded.
func (h *conn2) field(f hpack.HeaderField) {
	b := &h.block
	switch {
	case f.IsPseudo():
		if b.regular {
			b.wrong = "a pseudo-header behind a header"
		}
	case !isLowerToken(f.Name):
		b.wrong = "a bad name of a field"
	default:
		b.regular = true
	}
	if !isValue(f.Value) {
		b.wrong = "a bad value of a field"
	}
	if b.wrong != "" {
		b.code = codeProtocol
		h.decoder.SetEmitEnabled(false)
		return
	}
	if size := f.Size(); size > b.room {
		b.truncated, b.room = true, 0
		h.decoder.SetEmitEnabled(false)
		return
	}
	b.room -= f.Size()
	b.fields = append(b.fields, f)
}

// isLowerToken reports whether a name may be one of HTTP/2.
func isLowerToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; chars[c]&tokenChar == 0 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// pseudo are a request's pseudo-headers.
type pseudo struct{ method, scheme, authority, path string }

// take takes one of them; false if it is none, or there twice.
func (p *pseudo) take(f hpack.HeaderField) bool {
	var to *string
	switch f.Name {
	case ":method":
		to = &p.method
	case ":scheme":
		to = &p.scheme
	case ":authority":
		to = &p.authority
	case ":path":
		to = &p.path
	default:
		return false
	}
	if *to != "" {
		return false
	}
	*to = f.Value
	return true
}

// takeBlock takes a head, or trailers, that is here whole.
func (h *conn2) takeBlock(b *block2) error {
	if h.going && b.id > h.last {
		return nil // GOAWAY has said that nothing is done with it
	}
	if st := h.streams[b.id]; st != nil {
		return h.takeTrailers(st, b)
	}
	if b.id <= h.last {
		return &connectionError{codeStreamClosed, "HEADERS on a stream that has ended"}
	}
	h.last = b.id
	if b.wrong != "" {
		return &streamError{b.id, b.code, b.wrong}
	}
	if len(h.streams) >= int(h.limits.streams) {
		if h.unacked > 0 { // it does not know better
			return &streamError{b.id, codeRefused, "too many streams"}
		}
		return &streamError{b.id, codeProtocol, "too many streams"}
	}
	st := &stream2{h: h, id: b.id, window: h.startsAt, inflow: inflow{left: h.limits.streamWindow,
		size: h.limits.streamWindow}}
	st.ctx.Context = (*connContext)(h.conn)
	st.made = *blank.WithContext(&st.ctx)
	st.made.URL = &st.url
	st.res.st, st.res.length = st, -1
	if why := h.makeRequest(st, b); why != "" {
		return &streamError{b.id, codeProtocol, why}
	}
	return h.open(st)
}

// makeRequest makes the request of a head; why says what is wrong with it.
func (h *conn2) makeRequest(st *stream2, b *block2) (why string) {
	var p pseudo
	n := 0
	for n < len(b.fields) && b.fields[n].IsPseudo() {
		if !p.take(b.fields[n]) {
			return "a bad pseudo-header"
		}
		n++
	}
	r := &st.made
	r.Method, r.Proto, r.ProtoMajor = known(p.method), "HTTP/2.0", 2
	r.RemoteAddr, r.RequestURI = h.remote, p.path
	if p.scheme == "https" {
		r.TLS = h.tls
	}
	if b.truncated {
		st.instead = tooLong
		r.Header = make(http.Header)
		return h.makeBody(st, b.ends)
	}
	isConnect := p.method == http.MethodConnect
	switch {
	case isConnect && (p.path != "" || p.scheme != "" || p.authority == ""):
		return "a bad CONNECT"
	case !isConnect && (!isToken(p.method) || p.path == "" || p.scheme != "https" && p.scheme != "http"):
		return "a bad pseudo-header"
	}
	if why = h.makeHeader(r, b.fields[n:]); why != "" {
		return why
	}
	if host := r.Header["Host"]; len(host) > 0 {
		if len(host) > 1 || p.authority != "" && !strings.EqualFold(host[0], p.authority) {
			return "two hosts"
		}
		p.authority = host[0]
	}
	if r.Host = p.authority; !isHost(r.Host) {
		return "a bad host"
	}
	if isConnect {
		r.URL.Host, r.RequestURI = r.Host, r.Host
	} else if parseTarget(p.path, r) != nil {
		return "a bad path"
	}
	if err := badFields(r.Header); err != nil {
		st.instead = func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
	return h.makeBody(st, b.ends)
}

// makeHeader makes the header of fields.
func (h *conn2) makeHeader(r *http.Request, list []hpack.HeaderField) (why string) {
	r.Header = make(http.Header, len(list))
	values := make([]string, len(list))
	for i, f := range list {
		key, _ := canonical(f.Name)
		if before, ok := r.Header[key]; ok {
			r.Header[key] = append(before, f.Value)
			continue
		}
		values[i] = f.Value
		r.Header[key] = values[i : i+1 : i+1]
	}
	if cookies := r.Header["Cookie"]; len(cookies) > 1 {
		r.Header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	for _, v := range r.Header["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			switch key := http.CanonicalHeaderKey(trim(name)); key {
			case "", "Transfer-Encoding", "Trailer", "Content-Length":
			default:
				if r.Trailer == nil {
					r.Trailer = make(http.Header)
				}
				r.Trailer[key] = nil
			}
		}
	}
	delete(r.Header, "Trailer")
	return ""
}

// makeBody makes the body, of which nothing is here.
func (h *conn2) makeBody(st *stream2, ends bool) (why string) {
	r := &st.made
	r.Body, st.ends = http.NoBody, ends
	st.body.st, st.body.declared = st, -1
	continues := hasToken(r.Header["Expect"], "100-continue")
	if continues {
		delete(r.Header, "Expect")
	}
	if lengths, ok := r.Header["Content-Length"]; ok {
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil || len(lengths) > 1 || ends && n > 0 {
			return "a bad Content-Length"
		}
		st.body.declared = int64(n)
	}
	if !ends {
		r.Body, r.ContentLength = &st.body, st.body.declared
		st.body.continues, st.body.announced = continues, r.Trailer
	}
	return ""
}

// badFields finds fields that are of HTTP/1's connections.
func badFields(header http.Header) error {
	for _, key := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		if _, ok := header[key]; ok {
			return errors.New(`request header "` + key + `" is not valid in HTTP/2`)
		}
	}
	if te := header["Te"]; len(te) > 1 || len(te) == 1 && te[0] != "" && te[0] != "trailers" {
		return errors.New(`request header "TE" may only be "trailers" in HTTP/2`)
	}
	return nil
}

// tooLong answers a request whose head is too long.
func tooLong(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
	w.Write([]byte("<h1>HTTP Error 431</h1><p>Request Header Field(s) Too Large</p>"))
}

// takeTrailers takes what comes behind a body.
func (h *conn2) takeTrailers(st *stream2, b *block2) error {
	switch {
	case st.ends:
		return &streamError{b.id, codeStreamClosed, "HEADERS behind the end of a stream"}
	case b.wrong != "":
		return &streamError{b.id, b.code, b.wrong}
	case !b.ends:
		return &streamError{b.id, codeProtocol, "trailers that don't end a stream"}
	case b.truncated:
		return &streamError{b.id, codeProtocol, "trailers that are too long"}
	}
	for _, f := range b.fields {
		key, _ := canonical(f.Name)
		if f.IsPseudo() || !mayTrail(key) {
			return &streamError{b.id, codeProtocol, "a trailer that is none"}
		}
		if st.body.announced == nil {
			continue
		}
		if st.body.trailer == nil {
			st.body.trailer = make(http.Header)
		}
		st.body.trailer[key] = append(st.body.trailer[key], f.Value)
	}
	return st.endInput()
}
