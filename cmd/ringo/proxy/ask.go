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

// dialError is that of a connection that was not made: nothing was sent.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// isDial reports whether an error is one of those.
func isDial(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

// errNoUpstream is that of a request for which there is none.
var errNoUpstream = errors.New("no upstream is left to try")

// ask makes a request at an upstream, or at another as long as that changes nothing for the first.
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

// mayRepeat reports whether a request that has failed may be made again: nothing of it was sent, nor of its body read,
// or it has none and may come twice.
func mayRepeat(r *http.Request, err error) bool {
	if isDial(err) {
		return r.Body == nil || r.ContentLength > 0 // else its first byte may have been asked for
	}
	return r.Body == nil && !isTimeout(err) && slices.Contains([]string{http.MethodGet, http.MethodHead,
		http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete}, r.Method)
}

// askAt makes a request at an upstream, which has been taken. Without an answer it is left.
func (w *web) askAt(u *upstream, r *http.Request, t *trip) (*http.Response, error) {
	if r.Body != nil && t.out.URL != nil { // a transport that has failed may have it still
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
	default: // it may be the client's body that has failed, and an answer that is late says more of the request
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

// dialAt connects to the upstream that the transport knows by an address.
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

// isTimeout reports whether an error is of a time that is over.
func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// clientHost is what balanceHash goes by.
func clientHost(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// answer is the body of an upstream's answer, with whose end the upstream has one request less.
type answer struct {
	io.ReadCloser
	of *upstream // nil: it has ended
}

func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	if a.of != nil {
		a.of.of.leave(a.of)
		a.of = nil
	}
	return err
}

// switched is answer where the upstream speaks another protocol from then on.
type switched struct {
	answer
	net.Conn
}

func (s *switched) Read(p []byte) (int, error) { return s.Conn.Read(p) }
func (s *switched) Close() error               { return s.answer.Close() }
