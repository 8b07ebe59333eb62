//go:build linux

package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
)

// serveTLS is serve behind TLS.
func serveTLS(t *testing.T, echo func(c net.Conn)) (addr string) {
	t.Helper()
	s := httptest.NewTLSServer(nil) // for its certificate
	cfg := &tls.Config{Certificates: s.TLS.Certificates}
	s.Close()
	return serve(t, func(c *net.TCPConn) {
		tc := tls.Server(c, cfg)
		echo(tc)
		tc.Close()
	})
}

func TestTLS(t *testing.T) {
	for _, mode := range []string{"tls", "handshake"} {
		addr := serveTLS(t, func(c net.Conn) { io.Copy(c, c) })
		s, err := sampled(t, addr, strings.Fields("-conns 3 -size 20000 -seconds 0.5 -patience 10 -mode "+mode)...)
		if err != nil {
			t.Fatal(err)
		}
		if s.Requests == 0 || s.Mismatches != 0 || s.Errors != 0 || s.P50 <= 0 {
			t.Errorf("%s: %d requests, %d mismatches, %d errors, latency %v", mode, s.Requests,
				s.Mismatches, s.Errors, s.P50)
		}
	}
}

func TestBadTLSIsNoticed(t *testing.T) {
	for _, mode := range []string{"tls", "handshake"} {
		e, c := engineFor(t, serveTLS(t, func(c net.Conn) {
			b := make([]byte, 64)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				b[63] ^= 1
				c.Write(b)
			}
		}), "-conns 2 -patience 10 -mode "+mode)
		runMode(e, c)
		if e.mismatches != 2 || e.errors != 0 {
			t.Errorf("%s: %d mismatches, %d errors, want 2 and 0", mode, e.mismatches, e.errors)
		}
	}
	e, c := engineFor(t, serve(t, honest), "-conns 2 -patience 10 -mode tls")
	if _, err := runMode(e, c); e.errors != 2 || err == nil {
		t.Errorf("a server without TLS: %d errors and %v, want 2", e.errors, err)
	}
}
