package sockhttp

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"ringo/internal/httptext"
)

// block2 is a head, or trailers, as far as its frames have come.
type block2 struct {
	open      bool // more is to come
	id        uint32
	ends      bool // the stream's input ends with it
	fields    []hpack.HeaderField
	room      uint32 // left for fields, counted as for SETTINGS_MAX_HEADER_LIST_SIZE
	regular   bool   // a field that is no pseudo-header has come
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
		*b = block2{open: true, id: f.id, ends: f.has(flagEndStream), fields: b.fields, room: h.limits.list}
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
	// A head that would be thrown away is not decoded: that would cost more than sending it.
	if int64(len(p)) > 2*int64(b.room) || f.kind == frameContinuation && b.wrong != "" {
		return &connectionError{codeProtocol, "a head that is too long, or goes on after an error"}
	}
	if _, err := h.decoder.Write(p); err != nil {
		return &connectionError{codeCompression, err.Error()}
	}
	if !f.has(flagEndHeaders) {
		if f.kind == frameHeaders {
			h.side.headOpens()
		}
		return nil
	}
	if err := h.decoder.Close(); err != nil {
		return &connectionError{codeCompression, err.Error()}
	}
	b.open = false
	if f.kind == frameContinuation {
		h.side.headCloses()
	}
	err := h.side.takeBlock(b)
	b.fields = kept(b.fields)
	return err
}

// field takes a decoded field.
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

// isLowerToken reports whether a name is valid in HTTP/2.
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

// takeTrailers takes the fields that follow a body.
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
		switch asks := st.body.all != nil; {
		case f.IsPseudo() || !asks && !mayTrail(key):
			return &streamError{b.id, codeProtocol, "a trailer that is none"}
		case !asks && (st.body.announced == nil || !mayTrail(key)):
			continue
		}
		if st.body.trailer == nil {
			st.body.trailer = make(http.Header)
		}
		st.body.trailer[key] = append(st.body.trailer[key], f.Value)
	}
	return st.endInput()
}

// headerOf makes an http.Header of fields.
func headerOf(list []hpack.HeaderField) http.Header {
	header := make(http.Header, min(len(list), fieldsMax))
	var values []string
	for i, f := range list {
		key, _ := canonical(f.Name)
		values = addField(header, key, f.Value, values, len(list)-i)
	}
	return header
}

// namedTrailers removes the Trailer field from a header, and returns the trailers that it announces.
func namedTrailers(header http.Header) (to http.Header) {
	for _, v := range header["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			switch key := http.CanonicalHeaderKey(httptext.Trim(name)); key {
			case "", "Transfer-Encoding", "Trailer", "Content-Length":
			default:
				if to == nil {
					to = make(http.Header)
				}
				to[key] = nil
			}
		}
	}
	delete(header, "Trailer")
	return to
}

// badField returns the first field that only HTTP/1 connections may have, "" if there is none: RFC 9113, 8.2.2.
func badField(h http.Header) string {
	for _, key := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		if _, ok := h[key]; ok {
			return key
		}
	}
	return ""
}
