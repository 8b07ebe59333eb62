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

// readAnswer is http.ReadResponse, which is spared where the head is here as a whole and says how long the body is.
// It is made in a, which is the caller's, or else anew.
func readAnswer(head []byte, br *bufio.Reader, r *http.Request, a *sizedAnswer) (*http.Response, error) {
	if len(head) > 0 && r.Method != http.MethodHead {
		if answer := plainAnswer(string(head), br, r, a); answer != nil {
			br.Discard(len(head))
			return answer, nil
		}
	}
	return http.ReadResponse(br, r)
}

// readHead is readAnswer, and keeps a Connection that names fields beside "close": net/http drops it, and who passes an
// answer on has to know which fields are of the connection alone (RFC 9110, 7.6.1).
func (c *clientConn) readHead(r *http.Request, a *sizedAnswer) (*http.Response, error) {
	p, _ := c.br.Peek(c.br.Buffered())
	end, _ := headEnd(p, 0)
	if end == 0 {
		c.head = bytes.Clone(p) // and Read adds what follows
	}
	answer, err := readAnswer(p[:end], c.br, r, a)
	if head := c.head; end == 0 {
		c.head = nil
		p = head
	} else {
		p = p[:end] // which nothing was received behind
	}
	if err == nil && answer.Close && answer.ProtoAtLeast(1, 1) {
		keepNames(answer.Header, p)
	}
	return answer, err
}

// keepNames puts the Connection of a head, and of what follows, back if it names fields.
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

// sizedAnswer is an answer and its body in one piece of memory.
type sizedAnswer struct {
	http.Response
	body sizedBody
}

// plainAnswer is the answer whose head this is, made in a; nil: it is not known here what it means.
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

// plainCode is the code of a status, as "200 OK"; 0: it has none of three digits.
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

// plainLength is how long the body is by the fields, if nothing but one Content-Length says where it ends, and the
// connection goes on behind it; else -1.
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

// sizedBody is a body of so many bytes.
type sizedBody struct {
	br   *bufio.Reader
	left int64
}

// Read reads some of what is left. The last of it comes with io.EOF.
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

// Close has nothing to end.
func (b *sizedBody) Close() error { return nil }
