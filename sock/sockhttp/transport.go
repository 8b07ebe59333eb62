package sockhttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringo"
	"ringo/internal/httptext"
	"ringo/internal/loop"
	"ringo/internal/perloop"
)

// A Transport is an http.RoundTripper for tasks and goroutines: an http.Client that has one works in both. Its fields
// are those of http.Transport, with the same meaning and defaults, unless they say otherwise. They must not be changed
// once it is used. The zero value is ready to use. See "The client".
type Transport struct {
	// Proxy returns the proxy for a request, such as http.ProxyFromEnvironment; nil means none. It must not wait.
	Proxy func(*http.Request) (*url.URL, error)
	// DialContext connects; nil means as sock.Dialer does in tasks, and as net.Dialer does on goroutines. It is called
	// where the request is made. What it returns to a task must be a connection that tasks can use, such as one of
	// sock.Dialer.Func, and not one of package net.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLSClientConfig is for connections by TLS.
	TLSClientConfig *tls.Config
	// TLSHandshakeTimeout is how long a handshake may take; 0 means no limit.
	TLSHandshakeTimeout time.Duration
	// DisableKeepAlives makes a connection for each request.
	DisableKeepAlives bool
	// DisableCompression keeps requests from asking for gzip; answers stay as they come.
	DisableCompression bool
	// MaxIdleConns is how many idle connections are kept: by each loop, and by all goroutines. 0 means no limit.
	MaxIdleConns int
	// MaxIdleConnsPerHost is how many of those may be to one host; 0 means http.DefaultMaxIdleConnsPerHost, which is 2.
	MaxIdleConnsPerHost int
	// MaxConnsPerHost is how many connections to one host there may be: of all loops together, and of all goroutines.
	// Further requests wait, and a loop that waits makes others give up idle connections. 0 means no limit.
	MaxConnsPerHost int
	// IdleConnTimeout is how long an idle connection is kept; 0 means no limit.
	IdleConnTimeout time.Duration
	// ResponseHeaderTimeout is how long the head of an answer may take, from the end of the request. 0 means no limit.
	ResponseHeaderTimeout time.Duration
	// ExpectContinueTimeout is how long the body of a request with "Expect: 100-continue" waits for permission; 0 means
	// not at all.
	ExpectContinueTimeout time.Duration
	// MaxResponseHeaderBytes is how long the head of an answer may be, including those of 1xx before it; 0 means 10
	// MiB.
	MaxResponseHeaderBytes int64
	// Protocols are those to speak; nil means HTTP/1 and HTTP/2. By TLS the server chooses; in the clear it is HTTP/1,
	// or HTTP/2 if Protocols has UnencryptedHTTP2 and not HTTP1.
	Protocols *http.Protocols
	// HTTP2 sets windows, frames and PINGs of HTTP/2. StrictMaxConcurrentRequests has no meaning in tasks.
	HTTP2 *http.HTTP2Config

	pools  perloop.Values[pool]
	limits limits

	once  sync.Once
	std   *http.Transport // for goroutines
	roots atomic.Bool     // the system's certificates were read
}

// protocols returns the protocols to speak.
func (t *Transport) protocols() (p http.Protocols) {
	if t.Protocols != nil {
		return *t.Protocols
	}
	p.SetHTTP1(true)
	p.SetHTTP2(http2AllowedClient())
	return p
}

// headMax returns how long the heads of answers may be.
func (t *Transport) headMax() int64 {
	if t.MaxResponseHeaderBytes > 0 {
		return t.MaxResponseHeaderBytes
	}
	return 10 << 20
}

// RoundTrip makes a request and returns its answer, as http.RoundTripper says. Any goroutine may call it; a task parks.
// It ends early when the request's context ends and, in a task, when the task's waits do. So does Read of the answer's
// body, which any goroutine may call.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	l, _ := loop.Current()
	if l == nil {
		if t.DialContext == nil { // or a simulated world's goroutine would ask the system's network
			if err := loop.Astray("a request without DialContext"); err != nil {
				closeBody(r)
				return nil, err
			}
		}
		return t.onGoroutine(r)
	}
	if err := check(r); err != nil {
		closeBody(r)
		return nil, err
	}
	x := &call{t: t, l: l, r: r, trace: httptrace.ContextClientTrace(r.Context()), outgoing: outgoing{body: r.Body}}
	if x.body == http.NoBody {
		x.body = nil
	}
	var answer *http.Response
	err := (*ringo.Loop)(l).WithContext(r.Context(), func() (err error) {
		answer, err = x.roundTrip()
		return err
	})
	if err != nil {
		x.closeBody()
		return nil, err
	}
	answer.Request = r
	return answer, nil
}

// CloseIdleConnections closes connections that wait for their next request. Any goroutine may call it; it does not
// park.
func (t *Transport) CloseIdleConnections() {
	t.pools.Each(func(_ *loop.Loop, p *pool) bool {
		p.closeIdle()
		return true
	})
	t.standard().CloseIdleConnections()
}

// check returns why a request can't be made, nil if it can.
func check(r *http.Request) error {
	switch {
	case r.URL == nil:
		return errors.New("http: nil Request.URL")
	case r.Header == nil:
		return errors.New("http: nil Request.Header")
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("unsupported protocol scheme %q", r.URL.Scheme)
	case r.Method != "" && !isToken(r.Method):
		return fmt.Errorf("net/http: invalid method %q", r.Method)
	case r.URL.Host == "":
		return errors.New("http: no Host in request URL")
	case r.ContentLength != 0 && r.Body == nil:
		return fmt.Errorf("http: Request.ContentLength=%d with nil Body", r.ContentLength)
	}
	if err := checkFields("header field", r.Header); err != nil {
		return err
	}
	return checkFields("trailer field", r.Trailer)
}

// checkFields returns why fields can't be sent. It does not show values, which may be secret.
func checkFields(what string, h http.Header) error {
	for key, values := range h {
		if !isToken(key) {
			return fmt.Errorf("net/http: invalid %s name %q", what, key)
		}
		for _, v := range values {
			if !isValue(v) {
				return fmt.Errorf("net/http: invalid %s value for %q", what, key)
			}
		}
	}
	return nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// call is a request of a task that is being made. Only tasks of the loop use it, except for what it says about reads of
// the body.
type call struct {
	t     *Transport
	l     *loop.Loop
	r     *http.Request // the caller's, which must not be changed
	trace *httptrace.ClientTrace
	to    target
	c     *clientConn
	held  bool      // only this request ends its use of c
	st    *request2 // of this attempt; nil: it is by HTTP/1
	gzip  bool      // the Transport has asked for it

	outgoing

	// The answer and its body, which the caller holds for as long as this is in use anyway.
	plain sizedAnswer
	given answerBody
}

// roundTrip makes the request, several times if connections turn out to be stale.
func (x *call) roundTrip() (*http.Response, error) {
	if err := x.ended(); err != nil {
		return nil, err
	}
	to, err := x.t.target(x.r)
	if err != nil {
		return nil, err
	}
	x.to = to
	if x.t.only(to) {
		return x.offload()
	}
	if err := x.prepare(); err != nil {
		return nil, err
	}
	defer x.abandon()
	for again := 0; ; {
		if err := x.t.poolOf(x.l).get(x); err != nil {
			return nil, x.because(err)
		}
		answer, err := x.try()
		x.held = false
		if err == nil {
			return answer, nil
		}
		if x.c.two != nil {
			if again, err = x.retry2(err, again); err != nil {
				return nil, x.because(err)
			}
			continue
		}
		x.c.close()
		x.endSending()
		var failed *failure
		if errors.As(err, &failed) {
			if x.mayRetry(failed) {
				if err := x.rewind(); err != nil {
					return nil, err
				}
				continue
			}
			err = failed.err
		}
		return nil, x.because(err)
	}
}

// abandon ends the use of the connection if a hook of httptrace, or the request's body, has panicked.
func (x *call) abandon() {
	switch {
	case !x.held:
	case x.st != nil:
		x.st.drop(errPanicked)
	case x.c.two != nil:
		x.c.two.release()
	default:
		x.c.close()
	}
}

var errPanicked = errors.New("sockhttp: a hook of the request, or its body, has panicked")

// ended returns why the request must not go on: the cause of its context's end.
func (x *call) ended() error {
	if ctx := x.r.Context(); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// because returns the error of a failed attempt: the end of the request's context, if that was the reason.
func (x *call) because(err error) error {
	if why := x.ended(); why != nil {
		return why
	}
	return err
}

// failure is the error of an attempt that has ended before the first byte of an answer.
type failure struct {
	err     error
	nothing bool // nothing was written
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// mayRetry reports whether a request may be made again after its connection has failed. As in net/http, it may if the
// connection was used before, so that its server may just have closed it, and if nothing was written or making the
// request twice does no harm.
func (x *call) mayRetry(f *failure) bool {
	switch {
	case !x.c.reused, x.length != 0 && x.r.GetBody == nil, x.l.Canceled():
		return false
	case f.nothing:
		return true
	}
	switch x.r.Method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return x.r.Header["Idempotency-Key"] != nil || x.r.Header["X-Idempotency-Key"] != nil
}

// try makes the request on a connection.
func (x *call) try() (*http.Response, error) {
	if x.c.two != nil {
		return x.try2()
	}
	if err := x.send(); err != nil {
		return nil, err
	}
	answer, err := x.receive()
	if err != nil {
		return nil, err
	}
	return x.deliver(answer)
}

// target is where a request is sent.
type target struct {
	key   hostKey
	proxy *url.URL // nil: no proxy
	addr  string   // host and port of the server
}

// hostKey is what connections have in common that can be used for the same requests.
type hostKey struct {
	proxy, scheme, addr string
	only1               bool // for a request that takes over its connection, which HTTP/2 can't do
}

// compare defines an order of keys.
func (k hostKey) compare(other hostKey) int {
	return cmp.Or(strings.Compare(k.addr, other.addr), strings.Compare(k.scheme, other.scheme),
		strings.Compare(k.proxy, other.proxy), cmp.Compare(fmt.Sprint(k.only1), fmt.Sprint(other.only1)))
}

// target returns the target of a request.
func (t *Transport) target(r *http.Request) (to target, err error) {
	to.addr = addrOf(r.URL)
	if t.Proxy != nil {
		if to.proxy, err = t.Proxy(r); err != nil {
			return to, err
		}
	}
	to.key = hostKey{scheme: r.URL.Scheme, addr: to.addr, only1: upgrades(r) && r.URL.Scheme == "https"}
	if to.proxy != nil {
		if to.key.proxy = to.proxy.String(); r.URL.Scheme == "http" {
			to.key.addr = "" // the proxy takes requests to any server
		}
	}
	return to, nil
}

// upgrades reports whether a request asks for another protocol.
func upgrades(r *http.Request) bool {
	return r.Header.Get("Upgrade") != "" && httptext.HasToken(r.Header["Connection"], "upgrade")
}

// first returns where to connect to: scheme and address of the proxy, or of the server.
func (to *target) first() (scheme, addr string) {
	if to.proxy != nil {
		return to.proxy.Scheme, addrOf(to.proxy)
	}
	return to.key.scheme, to.addr
}

// addrOf returns the host and port of a URL. Usually the port is there, and the result is the URL's own text.
func addrOf(u *url.URL) string {
	if i := strings.LastIndexByte(u.Host, ':'); i > 0 && i < len(u.Host)-1 && u.Host[0] != '[' &&
		strings.IndexByte(u.Host, ':') == i {
		return u.Host
	}
	port := u.Port()
	if port == "" {
		port = "80"
		switch u.Scheme {
		case "https":
			port = "443"
		case "socks5", "socks5h":
			port = "1080"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
