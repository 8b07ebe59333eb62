package sockhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"ringo"

	"ringo/internal/httptext"
)

// outgoing is what a call knows about sending its request.
type outgoing struct {
	body    io.ReadCloser // of this attempt; nil: there is none
	length  int64         // of the body; -1: unknown
	chunked bool
	read    bool // the body was read from
	taken   bool // the body is closed, or will be elsewhere
	limited bool // there is a deadline for the head of the answer
	sending *sending
	failed  error // of the body's Read; not io.EOF

	answered bool // that head has come
}

// emptyMax is how often in a row a body may give nothing.
const emptyMax = 100

// Read reads from the body, whose error it remembers. A body that never gives anything fails: whoever reads it would
// hold the loop.
func (o *outgoing) Read(p []byte) (n int, err error) {
	n, err = o.body.Read(p)
	for i := 0; n == 0 && err == nil && len(p) > 0; i++ {
		if n, err = o.body.Read(p); i == emptyMax {
			err = io.ErrNoProgress
		}
	}
	if err != io.EOF {
		o.failed = err
	}
	return n, err
}

// sending is the task that sends a body, beside the one that waits for the answer, which may come before all is sent.
type sending struct {
	task *ringo.Task
	over *ringo.Chan[struct{}] // closed when it is over
	may  *ringo.Chan[bool]     // whether the peer wants the body; nil: it was not asked
	err  error                 // of the connection
	own  error                 // of the body
}

// smallMax is the longest body that is sent with the head. A body with GetBody is assumed to be in memory.
const smallMax = 4096

// isSmall reports whether the body is sent with the head.
func (x *call) isSmall() bool { return x.length > 0 && x.length <= smallMax && x.r.GetBody != nil }

// prepare finds out the body's length and coding.
func (x *call) prepare() error {
	r := x.r
	if x.body == nil {
		return nil
	}
	if x.length = r.ContentLength; x.length == 0 {
		x.length = -1
	}
	switch {
	case len(r.TransferEncoding) > 0:
		x.chunked = r.TransferEncoding[0] == "chunked"
	case x.length < 0 && lacksBody(r.Method):
		return x.probe()
	default:
		x.chunked = x.length < 0 && r.Method != http.MethodConnect
	}
	if x.chunked {
		x.length = -1
	}
	return nil
}

// lacksBody reports whether requests usually have no body, so that servers do not expect a chunked one.
func lacksBody(method string) bool {
	switch method {
	case "", "GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH":
		return true
	}
	return false
}

// probe reads the first byte of a body that may be empty.
func (x *call) probe() error {
	x.read = true
	first := make([]byte, 1)
	switch _, err := io.ReadFull(x, first); err {
	case nil:
		rest := x.body
		x.chunked = true
		x.body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader(string(first)), rest), rest}
		return nil
	case io.EOF:
		x.closeBody()
		x.body, x.length = nil, 0
		return nil
	default:
		return err
	}
}

// closeBody closes the body, unless that happens elsewhere.
func (x *call) closeBody() error {
	if x.body == nil || x.taken {
		return nil
	}
	x.taken = true
	return x.body.Close()
}

// errRewind ends a request whose body can't be read again.
var errRewind = errors.New("net/http: cannot rewind body after connection loss")

// rewind makes the body start from the beginning.
func (x *call) rewind() (err error) {
	if x.body == nil || !x.read && !x.taken {
		return nil
	}
	x.closeBody()
	if x.r.GetBody == nil {
		return errRewind
	}
	body, err := x.r.GetBody()
	if err == nil && body == nil {
		err = errors.New("sockhttp: Request.GetBody has returned (nil, nil)")
	}
	if err != nil {
		return err
	}
	x.body, x.read, x.taken = body, false, false
	return nil
}

// send sends the head, and a small body with it; it starts to send a larger one.
func (x *call) send() error {
	p := take()
	defer give(p)
	head, err := x.appendHead(*p)
	if *p = head; err != nil {
		return x.sent(err)
	}
	if x.trace != nil && x.trace.WroteHeaders != nil {
		x.trace.WroteHeaders()
	}
	asks := x.body != nil && httptext.HasToken(x.r.Header["Expect"], "100-continue")
	if x.isSmall() && !asks {
		if *p, err = x.appendBody(*p); err != nil {
			return x.sent(err)
		}
		return x.sent(x.write(*p))
	}
	if err := x.write(*p); err != nil || x.body == nil {
		return x.sent(err)
	}
	x.beginSending(asks)
	return nil
}

// beginSending starts the task that sends the body; with asks, the task waits until the peer asks for it.
func (x *call) beginSending(asks bool) {
	s := &sending{over: ringo.NewChan[struct{}](0)}
	if asks {
		s.may = ringo.NewChan[bool](1)
	}
	x.sending, x.taken = s, true
	s.task = (*ringo.Loop)(x.l).Go(x.sendBody)
}

// sent is called when the request was sent, or can't be.
func (x *call) sent(err error) error {
	if x.trace != nil && x.trace.WroteRequest != nil {
		why := err
		if failed, ok := err.(*failure); ok {
			why = failed.err
		}
		x.trace.WroteRequest(httptrace.WroteRequestInfo{Err: why})
	}
	if d := x.t.ResponseHeaderTimeout; d > 0 && err == nil && !x.answered {
		if x.st != nil {
			x.st.limitAnswer()
			return nil
		}
		x.limited = true
		x.c.c.SetReadDeadline(x.l.Now().Add(d))
	}
	return err
}

// write sends the head.
func (x *call) write(p []byte) error {
	n, err := x.c.c.Write(p)
	if err != nil {
		if x.c.wrote = n > 0; !x.c.wrote {
			return &failure{err, true}
		}
		return x.broken(err)
	}
	x.c.wrote = true
	return nil
}

// broken wraps the error of a connection that has failed after something was sent, but not that of a cancelled task.
func (x *call) broken(err error) error {
	if x.l.Canceled() {
		return err
	}
	return fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", err)
}

// appendBody appends a small body.
func (x *call) appendBody(p []byte) ([]byte, error) {
	x.read = true
	from := len(p)
	p = slices.Grow(p, int(x.length))
	n, err := io.ReadFull(x, p[from:from+int(x.length)])
	p = p[:from+n]
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	if err == nil {
		err = x.bodyEnd(int64(n))
	}
	return p, err
}

// bodyEnd checks that the body, of which n bytes were read, has the announced length, and closes it.
func (x *call) bodyEnd(n int64) error {
	more, err := io.Copy(io.Discard, x)
	if err != nil {
		return err
	}
	if err := x.closeBody(); err != nil {
		return err
	}
	if n += more; x.length >= 0 && n != x.length {
		return fmt.Errorf("http: ContentLength=%d with Body length %d", x.length, n)
	}
	return nil
}

// sendBody is the task that sends a body.
func (x *call) sendBody() {
	s := x.sending
	defer s.over.Close()
	x.taken = false // the body belongs to this task
	defer x.closeBody()
	err := errPanicked // or has called runtime.Goexit, if it is still this at the end
	defer func() { x.endBody(err) }()
	if s.may != nil && !x.mayContinue() {
		err = nil
		return
	}
	x.read = true
	err = x.copyBody()
	x.sent(err)
}

// endBody notes how the sending of the body has ended.
func (x *call) endBody(err error) {
	s := x.sending
	switch s.err = err; {
	case err == nil:
	case x.st != nil:
		if err == errPanicked {
			x.st.fails(err)
		}
		x.st.spoil(err)
	case err == errPanicked:
		s.own = err
		fallthrough
	case s.own != nil: // the task that waits for the answer learns of it
		x.c.close()
	}
}

// mayContinue waits for permission to send the body, for ExpectContinueTimeout at most.
func (x *call) mayContinue() (yes bool) {
	if x.trace != nil && x.trace.Wait100Continue != nil {
		x.trace.Wait100Continue()
	}
	err := (*ringo.Loop)(x.l).WithTimeout(x.t.ExpectContinueTimeout, func() (err error) {
		yes, err = x.sending.may.Recv()
		return err
	})
	return yes || err != nil && !errors.Is(err, context.Canceled)
}

// copyBody sends the body, and sets own to an error of the body.
func (x *call) copyBody() error {
	s := x.sending
	if x.st != nil {
		return (*ringo.Loop)(x.l).WithContext(x.r.Context(), x.copyBody2)
	}
	if x.chunked {
		return x.copyChunks()
	}
	var src io.Reader = x
	_, file := x.body.(syscall.Conn)
	_, sends := x.c.c.(io.ReaderFrom)
	if sends = sends && file; sends {
		src = x.body // for sendfile
	}
	if x.length >= 0 {
		src = io.LimitReader(src, x.length)
	}
	n, err := io.Copy(x.c.c, src)
	switch {
	case err == nil:
		err = x.bodyEnd(n)
		s.own = err
	case !sends:
		s.own = x.failed
	default: // it has read the body itself, but only its own errors are of a write
		var failed *net.OpError
		if !errors.As(err, &failed) || failed.Op != "write" {
			s.own = err
		}
	}
	return err
}

// chunkMax is the longest chunk of a request, sizeMax the length of the line before it.
const (
	chunkMax = 32 << 10
	sizeMax  = 6
)

var chunks = sync.Pool{New: func() any { return new([sizeMax + chunkMax + 2]byte) }}

// copyChunks sends the body in chunks, each as soon as it was read.
func (x *call) copyChunks() error {
	s := x.sending
	p := chunks.Get().(*[sizeMax + chunkMax + 2]byte)
	defer chunks.Put(p)
	for {
		n, err := x.Read(p[sizeMax : sizeMax+chunkMax])
		if n > 0 {
			size := strconv.AppendUint(make([]byte, 0, sizeMax), uint64(n), 16)
			size = append(size, "\r\n"...)
			begin := sizeMax - len(size)
			copy(p[begin:], size)
			copy(p[sizeMax+n:], "\r\n")
			if _, err := x.c.c.Write(p[begin : sizeMax+n+2]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			s.own = err
			return err
		}
	}
	if s.own = x.closeBody(); s.own != nil {
		return s.own
	}
	f := fieldsOf(x.r.Trailer)
	defer f.release()
	_, err := x.c.c.Write(append(f.append([]byte("0\r\n")), "\r\n"...))
	return err
}

// endSending ends the task that sends the body, and waits for its end.
func (x *call) endSending() {
	if s := x.sending; s != nil {
		s.task.Cancel()
		s.task.Wait()
		x.sending = nil
	}
}

// appendHead appends the request's head as net/http sends it.
func (x *call) appendHead(p []byte) ([]byte, error) {
	r := x.r
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !isHost(host) {
		if x.c.absolute {
			return p, errors.New("http: invalid Host header")
		}
		host = ""
	}
	host = withoutZone(host)
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	p = append(append(p, method...), ' ')
	from := len(p)
	p = appendTarget(p, r, host, x.c.absolute)
	for _, c := range p[from:] {
		if c < ' ' || c == 0x7f {
			return p, errors.New("net/http: can't write control character in Request.URL")
		}
	}
	p = append(p, " HTTP/1.1\r\n"...)
	p = x.appendField(p, "Host", host)
	agent := "Go-http-client/1.1"
	if values, ok := r.Header["User-Agent"]; ok {
		agent = ""
		if len(values) > 0 {
			agent = textproto.TrimString(values[0])
		}
	}
	if agent != "" {
		p = x.appendField(p, "User-Agent", agent)
	}
	p, err := x.appendBodyFields(p, method)
	if err != nil {
		return p, err
	}
	return append(x.appendFields(p, method), "\r\n"...), nil
}

// appendBodyFields appends the fields that say where the request ends, and whether the connection does.
func (x *call) appendBodyFields(p []byte, method string) ([]byte, error) {
	r := x.r
	if r.Close && !httptext.HasToken(r.Header["Connection"], "close") {
		p = x.appendField(p, "Connection", "close")
	}
	switch {
	case x.chunked:
		p = x.appendField(p, "Transfer-Encoding", "chunked")
	case x.length > 0, x.length == 0 && saysZero(r, method):
		p = x.appendField(p, "Content-Length", strconv.FormatInt(x.length, 10))
	}
	if !x.chunked || len(r.Trailer) == 0 {
		return p, nil
	}
	names, err := trailerNames(r.Trailer)
	if err != nil {
		return p, err
	}
	return x.appendField(p, "Trailer", names), nil
}

// trailerNames returns the names of trailers as in a Trailer field.
func trailerNames(h http.Header) (string, error) {
	keys := make([]string, 0, len(h))
	for key := range h {
		switch key = http.CanonicalHeaderKey(key); key {
		case "Transfer-Encoding", "Trailer", "Content-Length":
			return "", fmt.Errorf("invalid Trailer key %q", key)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, ","), nil
}

// saysZero reports whether servers expect a Content-Length of 0 for a request without a body.
func saysZero(r *http.Request, method string) bool {
	switch method {
	case "POST", "PUT", "PATCH":
		return true
	case "GET", "HEAD":
		return false
	}
	return r.Body != nil && len(r.TransferEncoding) == 1 && r.TransferEncoding[0] == "identity"
}

// appendFields appends the caller's fields, and then the Transport's.
func (x *call) appendFields(p []byte, method string) []byte {
	r := x.r
	if f := fieldsOf(r.Header); f != nil {
		f.list = slices.DeleteFunc(f.list, func(one field) bool {
			switch one.key {
			case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
				return true
			}
			return false
		})
		if p = f.append(p); x.trace != nil && x.trace.WroteHeaderField != nil {
			for i := 0; i < len(f.list); {
				key, values := f.list[i].key, []string(nil)
				for ; i < len(f.list) && f.list[i].key == key; i++ {
					values = append(values, f.list[i].value)
				}
				x.trace.WroteHeaderField(key, values)
			}
		}
		f.release()
	}
	if x.gzip = x.asksGzip(method); x.gzip {
		p = x.appendField(p, "Accept-Encoding", "gzip")
	}
	if x.t.DisableKeepAlives && !r.Close && !httptext.HasToken(r.Header["Connection"], "close") && !upgrades(r) {
		p = x.appendField(p, "Connection", "close")
	}
	if x.c.absolute && x.to.proxy.User != nil {
		p = x.appendField(p, "Proxy-Authorization", basic(x.to.proxy.User))
	}
	return p
}

// asksGzip reports whether the Transport asks for a compressed answer, which it decompresses for the caller.
func (x *call) asksGzip(method string) bool {
	return !x.t.DisableCompression && method != http.MethodHead && x.r.Header.Get("Accept-Encoding") == "" &&
		x.r.Header.Get("Range") == ""
}

// appendField appends a field that was checked.
func (x *call) appendField(p []byte, key, value string) []byte {
	if x.trace != nil && x.trace.WroteHeaderField != nil {
		x.trace.WroteHeaderField(key, []string{value})
	}
	return append(append(append(append(p, key...), ": "...), value...), "\r\n"...)
}

// appendTarget appends the request target.
func appendTarget(p []byte, r *http.Request, host string, absolute bool) []byte {
	u := r.URL
	switch {
	case absolute && u.Scheme != "" && u.Opaque == "":
		return append(append(append(append(p, u.Scheme...), "://"...), host...), u.RequestURI()...)
	case r.Method == http.MethodConnect && u.Path == "":
		if u.Opaque != "" {
			host = u.Opaque
		}
		return append(p, host...)
	case u.Opaque == "" && u.RawPath == "" && strings.HasPrefix(u.Path, "/") && isAll(u.Path, pathChar):
		p = append(p, u.Path...) // the same as RequestURI
		if u.RawQuery != "" || u.ForceQuery {
			p = append(append(p, '?'), u.RawQuery...)
		}
		return p
	}
	return append(p, u.RequestURI()...)
}

// withoutZone returns a host without the zone of an IPv6 address.
func withoutZone(host string) string {
	if !strings.HasPrefix(host, "[") {
		return host
	}
	i := strings.LastIndexByte(host, ']')
	if i < 0 {
		return host
	}
	j := strings.LastIndexByte(host[:i], '%')
	if j < 0 {
		return host
	}
	return host[:j] + host[i:]
}

// basic returns the value of a Proxy-Authorization field.
func basic(u *url.Userinfo) string {
	r := http.Request{Header: make(http.Header)}
	password, _ := u.Password()
	r.SetBasicAuth(u.Username(), password)
	return r.Header.Get("Authorization")
}
