package sockhttp

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"ringo/internal/httptext"
)

// pseudo is a request's pseudo-headers.
type pseudo struct{ method, scheme, authority, path string }

// take takes a pseudo-header. It returns false if it is unknown, or there twice.
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

// takeBlock takes a head, or trailers, that is complete.
func (h *server2) takeBlock(b *block2) error {
	if h.going && b.id > h.last {
		return nil // GOAWAY has announced that nothing is done with it
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
		if h.unacked > 0 { // it may not know the limit yet
			return &streamError{b.id, codeRefused, "too many streams"}
		}
		return &streamError{b.id, codeProtocol, "too many streams"}
	}
	st := &served2{s: h}
	st.headIn = true
	h.newStream(&st.stream2, st, b.id)
	st.ctx.Context = (*connContext)(h.conn)
	st.made = *blank.WithContext(&st.ctx)
	st.made.URL = &st.url
	st.res.st, st.res.length = st, -1
	if why := h.makeRequest(st, b); why != "" {
		return &streamError{b.id, codeProtocol, why}
	}
	return h.open(st)
}

// makeRequest makes the request of a head; why says what is wrong with the head.
func (h *server2) makeRequest(st *served2, b *block2) (why string) {
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
	r.RemoteAddr, r.RequestURI = h.conn.remote, p.path
	if p.scheme == "https" {
		r.TLS = h.conn.tls
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

// makeHeader makes the request's header of fields.
func (h *server2) makeHeader(r *http.Request, list []hpack.HeaderField) (why string) {
	r.Header = headerOf(list)
	if cookies := r.Header["Cookie"]; len(cookies) > 1 {
		r.Header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	r.Trailer = namedTrailers(r.Header)
	return ""
}

// makeBody makes the request's body, of which nothing has come yet.
func (h *server2) makeBody(st *served2, ends bool) (why string) {
	r := &st.made
	r.Body, st.ends = http.NoBody, ends
	st.body.st, st.body.declared = &st.stream2, -1
	continues := httptext.HasToken(r.Header["Expect"], "100-continue")
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
		if st.body.announced = r.Trailer; continues {
			st.body.continues = st.sendContinue
		}
	}
	return ""
}

// badFields returns an error if there are fields that only HTTP/1 connections may have.
func badFields(header http.Header) error {
	if key := badField(header); key != "" {
		return errors.New(`request header "` + key + `" is not valid in HTTP/2`)
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
