package sockhttp

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"ringo/internal/httptext"
)

// readAnswer is http.ReadResponse, without its cost if the whole head is here and says how long the body is. The answer
// is then made in a, which the caller provides; otherwise it is a new one.
func readAnswer(head []byte, br *bufio.Reader, r *http.Request, a *sizedAnswer) (*http.Response, error) {
	if len(head) > 0 && r.Method != http.MethodHead {
		if answer := plainAnswer(string(head), br, r, a); answer != nil {
			br.Discard(len(head))
			return answer, nil
		}
	}
	return http.ReadResponse(br, r)
}

// readHead is readAnswer, but keeps a Connection field that names fields beside "close". net/http drops it, and a
// program that forwards an answer has to know which fields concern only this connection (RFC 9110, 7.6.1).
func (c *clientConn) readHead(r *http.Request, a *sizedAnswer) (*http.Response, error) {
	p, _ := c.br.Peek(c.br.Buffered())
	end, _ := headEnd(p, 0)
	if end == 0 {
		c.head = bytes.Clone(p) // Read adds what follows
	}
	answer, err := readAnswer(p[:end], c.br, r, a)
	if head := c.head; end == 0 {
		c.head = nil
		p = head
	} else {
		p = p[:end] // the head is p's beginning, and nothing more was received
	}
	if err == nil && answer.Close && answer.ProtoAtLeast(1, 1) {
		keepNames(answer.Header, p)
	}
	return answer, err
}

// keepNames restores the Connection field of a head if it names fields. head may be followed by other bytes.
func keepNames(h http.Header, head []byte) {
	_, fields, _ := bytes.Cut(head, []byte("\n"))
	all, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader()
	for _, names := range all["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			name = httptext.Trim(name)
			if name != "" && !httptext.EqualFold(name, "close") && !httptext.EqualFold(name, "keep-alive") {
				h["Connection"] = all["Connection"]
				return
			}
		}
	}
}

// sizedAnswer is an answer and its body in one allocation.
type sizedAnswer struct {
	http.Response
	body sizedBody
}

// plainAnswer returns the answer with this head, made in a; nil if net/http has to find out what the head means.
func plainAnswer(head string, br *bufio.Reader, r *http.Request, a *sizedAnswer) *http.Response {
	line, rest := cutLine(head)
	status, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	code := plainCode(status)
	if !ok || !bodyAllowed(code) {
		return nil
	}
	var m memory
	if parseFields(rest, &m, nil) != nil {
		return nil
	}
	length := plainLength(m.fields)
	if length < 0 {
		return nil
	}
	a.Response = http.Response{Status: status, StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: m.fields, Body: http.NoBody, ContentLength: length, Request: r}
	if length > 0 {
		a.body = sizedBody{br, length}
		a.Body = &a.body
	}
	return &a.Response
}

// plainCode returns the code of a status such as "200 OK"; 0 if it does not begin with three digits.
func plainCode(status string) int {
	if len(status) < 3 || len(status) > 3 && status[3] != ' ' {
		return 0
	}
	code, err := strconv.ParseUint(status[:3], 10, 16)
	if err != nil {
		return 0
	}
	return int(code)
}

// plainLength returns the body's length if a single Content-Length says where the body ends, and the connection stays
// open after it; otherwise -1.
func plainLength(h http.Header) int64 {
	lengths := h["Content-Length"]
	if len(lengths) != 1 || h["Transfer-Encoding"] != nil || h["Trailer"] != nil || h["Pragma"] != nil ||
		httptext.HasToken(h["Connection"], "close") {
		return -1
	}
	n, err := strconv.ParseUint(lengths[0], 10, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// sizedBody is a body of known length.
type sizedBody struct {
	br   *bufio.Reader
	left int64
}

// Read reads from what is left. The last bytes come with io.EOF.
func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.br.Read(p[:min(int64(len(p)), b.left)])
	switch b.left -= int64(n); {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close does nothing.
func (b *sizedBody) Close() error { return nil }
