package sockhttp

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ringo"
	"ringo/internal/atrest"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/sock"
	"ringo/sock/socktls"
)

// proxyMax is how long a proxy may take to answer CONNECT.
const proxyMax = time.Minute

// dial makes a connection for a request.
func (p *pool) dial(x *call) (*clientConn, error) {
	scheme, addr := x.to.first()
	c, err := p.connect(x.r.Context(), addr)
	if err != nil {
		return nil, x.proxied(err)
	}
	made, whole := &clientConn{pool: p, c: c, left: 1 << 62}, false
	made.at.Of, made.at.Key = made, x.to.key
	defer func() {
		if !whole { // even if a hook panics
			made.close()
		}
	}()
	if scheme == "https" {
		if err := x.startTLS(made, hostOf(addr), x.to.proxy == nil); err != nil {
			return nil, x.proxied(err)
		}
	}
	switch {
	case x.to.proxy == nil:
	case x.to.key.scheme == "http":
		made.absolute = true
	default:
		if err := x.tunnel(made); err != nil {
			return nil, err
		}
		if err := x.startTLS(made, hostOf(x.to.addr), true); err != nil {
			return nil, err
		}
	}
	made.at.Own, made.single = atrest.Own(made.c), p.t.DisableKeepAlives
	if _, two := x.speaks(); two && (made.tls == nil || made.tls.NegotiatedProtocol == "h2") {
		made.speak2()
	}
	p.chose(made)
	whole = true
	return made, nil
}

// connect makes the underlying connection.
func (p *pool) connect(ctx context.Context, addr string) (net.Conn, error) {
	if p.t.DialContext == nil {
		return new(sock.Dialer).Func(p.l)(ctx, "tcp", addr)
	}
	c, err := p.t.DialContext(ctx, "tcp", addr)
	if err == nil && c == nil {
		err = errors.New("net/http: Transport.DialContext hook returned (nil, nil)")
	}
	if err != nil {
		return nil, err
	}
	if err := usable(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// proxied wraps an error if it is about a connection to a proxy.
func (x *call) proxied(err error) error {
	if x.to.proxy != nil {
		return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}
	}
	return err
}

// hostOf returns an address without its port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// handshakeError is the error of a TLS handshake.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// Timeout reports whether the handshake took too long.
func (e *handshakeError) Timeout() bool {
	var late interface{ Timeout() bool }
	return errors.As(e.err, &late) && late.Timeout()
}

// lateError is the error of one of a Transport's timeouts.
type lateError string

func (e lateError) Error() string   { return string(e) }
func (e lateError) Timeout() bool   { return true }
func (e lateError) Temporary() bool { return true }

// Is makes it match context.DeadlineExceeded.
func (e lateError) Is(err error) bool { return err == context.DeadlineExceeded }

const (
	errHandshakeLate = lateError("net/http: TLS handshake timeout")
	errHeadLate      = lateError("net/http: timeout awaiting response headers")
)

// startTLS starts TLS with the host of that name. A proxy, for which last is false, is offered HTTP/1.1 only.
func (x *call) startTLS(c *clientConn, name string, last bool) error {
	config := new(tls.Config)
	if x.t.TLSClientConfig != nil {
		config = x.t.TLSClientConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = name
	}
	var p http.Protocols
	one, two := x.speaks()
	p.SetHTTP1(one || !last)
	p.SetHTTP2(two && last)
	config.NextProtos = offered(config.NextProtos, p)
	if config.RootCAs == nil && !config.InsecureSkipVerify {
		x.t.readRoots(x.l)
	}
	if x.trace != nil && x.trace.TLSHandshakeStart != nil {
		x.trace.TLSHandshakeStart()
	}
	tc := socktls.Client(c.c, config)
	shake := func() error { return tc.HandshakeContext(context.WithoutCancel(x.r.Context())) }
	var err error
	if d := x.t.TLSHandshakeTimeout; d > 0 {
		err = (*ringo.Loop)(x.l).WithTimeout(d, shake)
		if timed, ok := err.(net.Error); ok && timed.Timeout() && !x.l.Canceled() {
			err = errHandshakeLate
		}
	} else {
		err = shake()
	}
	var state tls.ConnectionState
	if err == nil {
		state = tc.ConnectionState()
		c.c, c.tls = tc, &state
	}
	if x.trace != nil && x.trace.TLSHandshakeDone != nil {
		x.trace.TLSHandshakeDone(state, err)
	}
	if err != nil {
		return &handshakeError{err}
	}
	return nil
}

// readRoots reads the system's certificates on a goroutine. They are files, and the first handshake would read them on
// the loop.
func (t *Transport) readRoots(l *loop.Loop) {
	if t.roots.Load() {
		return
	}
	l.OffloadIn(lane.Handlers, func(context.Context) error {
		x509.SystemCertPool()
		t.roots.Store(true)
		return nil
	})
}

// tunnel asks a proxy, by CONNECT, for a connection to the server.
func (x *call) tunnel(c *clientConn) error {
	connect := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: x.to.addr}, Host: x.to.addr,
		Header: make(http.Header)}
	if u := x.to.proxy.User; u != nil {
		connect.Header.Set("Proxy-Authorization", basic(u))
	}
	var answer *http.Response
	err := (*ringo.Loop)(x.l).WithTimeout(proxyMax, func() (err error) {
		if err := connect.Write(c.c); err != nil {
			return err
		}
		// Bytes that are read after the answer are lost: a TLS server does not speak first.
		answer, err = http.ReadResponse(bufio.NewReader(io.LimitReader(c.c, x.t.headMax())), connect)
		return err
	})
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		_, text, ok := strings.Cut(answer.Status, " ")
		if !ok {
			text = "unknown status code"
		}
		return fmt.Errorf("%s", text)
	}
	return nil
}
