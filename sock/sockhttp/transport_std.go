package sockhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"ringo/internal/lane"
	"ringo/internal/loop"
)

// What a task can't do itself net/http does on a goroutine: SOCKS proxies, and names that are not ASCII. It also makes
// the requests of goroutines.

// standard returns the http.Transport with the same settings.
func (t *Transport) standard() *http.Transport {
	t.once.Do(func() {
		p := t.protocols()
		t.std = &http.Transport{Proxy: t.Proxy, DialContext: t.DialContext, TLSHandshakeTimeout: t.TLSHandshakeTimeout,
			DisableKeepAlives: t.DisableKeepAlives, DisableCompression: t.DisableCompression,
			MaxIdleConns: t.MaxIdleConns, MaxIdleConnsPerHost: t.MaxIdleConnsPerHost,
			MaxConnsPerHost: t.MaxConnsPerHost, IdleConnTimeout: t.IdleConnTimeout,
			ResponseHeaderTimeout: t.ResponseHeaderTimeout, ExpectContinueTimeout: t.ExpectContinueTimeout,
			MaxResponseHeaderBytes: t.MaxResponseHeaderBytes, Protocols: &p,
			HTTP2: t.HTTP2}
		if t.TLSClientConfig != nil {
			t.std.TLSClientConfig = t.TLSClientConfig.Clone()
		}
	})
	return t.std
}

// onGoroutine makes a request of a goroutine. Tasks may read the answer's body, too.
func (t *Transport) onGoroutine(r *http.Request) (*http.Response, error) {
	answer, err := t.standard().RoundTrip(r)
	if err == nil && answer.Body != http.NoBody {
		answer.Body = newFarBody(answer.Body, func(error) {})
	}
	return answer, err
}

// only reports whether net/http has to make requests to this target.
func (t *Transport) only(to target) bool {
	if to.proxy != nil && to.proxy.Scheme != "http" && to.proxy.Scheme != "https" && to.proxy.Scheme != "" {
		return true
	}
	return !isASCII(to.addr) || to.proxy != nil && !isASCII(to.proxy.Host)
}

// offload lets net/http make the request.
func (x *call) offload() (answer *http.Response, err error) {
	if !x.l.World().Beside() {
		return nil, fmt.Errorf("sockhttp: a request to %s that needs net/http, in a world: %w", x.to.addr,
			errors.ErrUnsupported)
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	err = x.l.OffloadIn(lane.Handlers, func(task context.Context) (err error) {
		stop := context.AfterFunc(task, func() { cancel(context.Cause(task)) })
		defer stop()
		r := x.r.WithContext(ctx)
		if r.Body = x.body; x.body == nil { // the body's first byte may have been read
			r.GetBody = nil
		}
		x.taken = true
		answer, err = x.t.standard().RoundTrip(r)
		return err
	})
	if err != nil {
		if answer != nil {
			answer.Body.Close()
		}
		cancel(err)
		return nil, x.because(err)
	}
	if answer.Body == http.NoBody {
		cancel(nil)
	} else {
		answer.Body = newFarBody(answer.Body, cancel)
	}
	return answer, nil
}

// farBody is the body of an answer of net/http, made so that tasks can use it.
type farBody struct {
	body   io.ReadCloser
	cancel func(error) // ends the request
	closed atomic.Bool
}

// newFarBody makes a body that tasks can use. If the connection is left to the caller, the result has Write as well.
func newFarBody(body io.ReadCloser, cancel func(error)) io.ReadCloser {
	b := &farBody{body: body, cancel: cancel}
	if w, ok := body.(io.Writer); ok {
		return &farConn{b, w}
	}
	return b
}

// call runs fn where it may wait for anything.
func (b *farBody) call(fn func() (int, error)) (n int, err error) {
	l, _ := loop.Current()
	if l == nil {
		return fn()
	}
	err = l.OffloadIn(lane.Handlers, func(task context.Context) (err error) {
		stop := context.AfterFunc(task, func() { b.cancel(context.Cause(task)) })
		defer stop()
		n, err = fn()
		return err
	})
	return n, err
}

// Read reads some of the body.
func (b *farBody) Read(p []byte) (int, error) {
	n, err := b.call(func() (int, error) { return b.body.Read(p) })
	if err != nil {
		b.cancel(err)
	}
	return n, err
}

// Close ends the body.
func (b *farBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	var err error
	elsewhere(lane.Handlers, func() { err = b.body.Close() })
	b.cancel(nil)
	return err
}

// farConn is the body of an answer after which the connection belongs to the caller.
type farConn struct {
	*farBody
	w io.Writer
}

// Write writes to the connection.
func (c *farConn) Write(p []byte) (int, error) {
	return c.call(func() (int, error) { return c.w.Write(p) })
}

// CloseWrite shuts down the caller's side.
func (c *farConn) CloseWrite() error {
	half, ok := c.w.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("CloseWrite: %w", http.ErrNotSupported)
	}
	_, err := c.call(func() (int, error) { return 0, half.CloseWrite() })
	return err
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
