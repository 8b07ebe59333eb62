package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"ringo"
	"ringo/sock/sockhttp"
)

// beginChecks starts the health checks of all upstreams, on the first loop that listens. They run in background tasks,
// which don't keep the loop from ending.
func (r *relay) beginChecks(l *ringo.Loop) {
	r.checks.Do(func() {
		for _, u := range r.to.all {
			if r.o.check > 0 {
				l.GoBackground(func() { r.checkOn(l, u) })
			}
		}
	})
}

// checkOn checks an upstream every -check, until the loop ends.
func (r *relay) checkOn(l *ringo.Loop, u *upstream) {
	check := r.checkConn
	if r.o.checkHTTP != "" {
		check = r.checkGet
	}
	for {
		u.of.note(u, byCheck, check(l, u))
		if l.Sleep(r.o.check) != nil {
			return
		}
	}
}

// checkConn checks an upstream by opening a connection, with its TLS if there is -to-tls, and closing it.
func (r *relay) checkConn(l *ringo.Loop, u *upstream) error {
	c, err := r.dial(context.Background(), l, u)
	if err != nil {
		return err
	}
	return c.Close()
}

// checkGet checks an upstream by a GET of the path of -check-http. It opens a connection for each check: a connection
// kept from before would not show whether the upstream accepts new ones.
func (r *relay) checkGet(l *ringo.Loop, u *upstream) error {
	client := &http.Client{Timeout: r.o.dial, Transport: &sockhttp.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx, l, u) }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	where, err := url.ParseRequestURI(r.o.checkHTTP)
	if err != nil {
		return err
	}
	where.Scheme, where.Host = "http", "upstream.invalid"
	a, err := client.Do(&http.Request{Method: http.MethodGet, URL: where, Host: u.host(), Header: http.Header{}})
	if err != nil {
		return err
	}
	a.Body.Close()
	if a.StatusCode < 200 || a.StatusCode > 399 {
		return fmt.Errorf("GET %s: %s", r.o.checkHTTP, a.Status)
	}
	return nil
}
