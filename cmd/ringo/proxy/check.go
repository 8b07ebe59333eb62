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

// beginChecks has the first loop that listens check each upstream, in tasks that keep nothing from ending.
func (r *relay) beginChecks(l *ringo.Loop) {
	r.checks.Do(func() {
		for _, u := range r.to.all {
			if r.o.check > 0 {
				l.GoBackground(func() { r.checkOn(l, u) })
			}
		}
	})
}

// checkOn checks an upstream until the loop ends.
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

// checkConn asks for a connection.
func (r *relay) checkConn(l *ringo.Loop, u *upstream) error {
	c, err := r.dial(context.Background(), l, u)
	if err != nil {
		return err
	}
	return c.Close()
}

// checkGet asks for the path of -check-http, on a connection of its own: one from before says nothing of the next.
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
