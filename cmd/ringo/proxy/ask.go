package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"ringo"
)

// dialError wraps the error of a connection to an upstream that could not be made: nothing of the request was sent.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// isDial reports whether err is, or wraps, a dialError.
func isDial(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

// errNoUpstream is the error of a connection or request if no upstream may be tried, or none is left.
var errNoUpstream = errors.New("no upstream is left to try")

// ask sends a request to an upstream and returns its answer. After a failure that mayRepeat allows it tries another
// upstream, triesMax in all.
func (w *web) ask(r *http.Request, t *trip, us *upstreams, v *visit) (*http.Response, error) {
	l, _ := ringo.Current()
	err := errNoUpstream
	for tried := []*upstream(nil); len(tried) < triesMax; {
		u, full := w.await(r.Context(), l, us, clientHost(r), tried, nil)
		if full != nil {
			err = full
		}
		if u == nil {
			break
		}
		v.asks(u)
		var a *http.Response
		if a, err = w.askAt(u, r, t); err == nil {
			w.retried.Add(int64(len(tried)))
			return a, nil
		}
		w.keeps.fails(u, causeOfAnswer(r, err))
		tried = append(tried, u)
		if r.Context().Err() != nil || errors.Is(err, context.Canceled) || !mayRepeat(r, err) {
			break
		}
	}
	return nil, err
}

// mayRepeat reports whether a request that failed with err may be sent again. After a failed dial it may if it has no
// body or one of known length. After any other error but a timeout it may only if it has no body and its method is
// idempotent.
func mayRepeat(r *http.Request, err error) bool {
	if isDial(err) {
		return r.Body == nil || r.ContentLength > 0 // the first byte of a body of unknown length may have been read
	}
	return r.Body == nil && !isTimeout(err) && slices.Contains([]string{http.MethodGet, http.MethodHead,
		http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete}, r.Method)
}

// askAt sends a request to an upstream that was taken. If there is no answer, it also leaves the upstream.
func (w *web) askAt(u *upstream, r *http.Request, t *trip) (*http.Response, error) {
	if r.Body != nil && t.out.URL != nil { // the transport of a failed try may still use the old one
		t = newTrip()
	}
	out := &t.out
	*out, t.where = *r, *r.URL
	t.where.Host = u.key
	out.URL = &t.where
	if out.Host == "" {
		out.Host = u.host()
	}
	a, err := w.transport.RoundTrip(out)
	if err == nil && a.StatusCode < 100 {
		a.Body.Close()
		err = fmt.Errorf("an upstream has answered with the status %d", a.StatusCode)
	}
	switch {
	case err == nil:
		u.of.note(u, byConn, nil)
	case isDial(err), r.Body == nil && r.Context().Err() == nil && !isTimeout(err):
		u.of.note(u, byConn, err)
	default: // the client's body may have failed; a late answer says more about the request
		u.of.note(u, byConn, context.Canceled)
	}
	if err != nil {
		u.of.leave(u)
		return nil, err
	}
	t.body = answer{a.Body, u}
	switch both := a.Body.(type) {
	case net.Conn:
		a.Body = &switched{t.body, both}
	default:
		if a.Body == http.NoBody {
			u.of.leave(u)
			break
		}
		a.Body = &t.body
	}
	return a, nil
}

// dialAt is the transport's dial function. addr is an upstream's key, as in web.hosts.
func (w *web) dialAt(ctx context.Context, _, addr string) (net.Conn, error) {
	l, _ := ringo.Current()
	u := w.hosts[addr]
	c, err := w.dial(ctx, l, u)
	if err != nil {
		return nil, &dialError{err}
	}
	w.keeps.opens(u)
	return c, nil
}

// isTimeout reports whether err is a timeout, in the sense of net.Error.
func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// clientHost returns the client's address without its port, by which balanceHash chooses.
func clientHost(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// answer is the body of an upstream's answer. Its first Close leaves the upstream.
type answer struct {
	io.ReadCloser
	of *upstream // nil once Close has left it
}

// Buffered returns how many bytes Read returns without waiting, as far as the transport knows.
func (a *answer) Buffered() int {
	if b, ok := a.ReadCloser.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	if a.of != nil {
		a.of.of.leave(a.of)
		a.of = nil
	}
	return err
}

// switched is the body of a 101 answer: after it, upstream and client speak another protocol on the connection.
type switched struct {
	answer
	net.Conn
}

func (s *switched) Read(p []byte) (int, error) { return s.Conn.Read(p) }
func (s *switched) Close() error               { return s.answer.Close() }
