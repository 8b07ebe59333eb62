// Package server makes sockhttp serve in place of package net/http's servers. Like package peers, it compiles only in a
// copy of GOROOT.
//
// With "server" for RINGO_PEERS the listeners are Ringo's, and are served on their loops; with "others" they are
// package net's.
package server

import (
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"

	"ringo/peers"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func init() {
	switch os.Getenv("RINGO_PEERS") {
	case "server", "others":
		http.RingoNewServer = func(s *http.Server) http.RingoServer { return stand(s) }
	}
}

// A server is a sockhttp.Server that stands in for an http.Server.
type server struct {
	sockhttp.Server
	certify sync.Once
}

// stand makes a server for s. It looks up the handler at each request, since tests change it.
func stand(s *http.Server) *server {
	r := &server{}
	r.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if s.Handler == nil {
			http.DefaultServeMux.ServeHTTP(w, q)
		} else {
			s.Handler.ServeHTTP(w, q)
		}
	})
	r.ReadHeaderTimeout, r.ReadTimeout, r.WriteTimeout = s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout
	r.IdleTimeout, r.MaxHeaderBytes = s.IdleTimeout, s.MaxHeaderBytes
	r.ErrorLog = slog.New(lines{s})
	r.BaseContext, r.ConnState = s.BaseContext, s.ConnState
	r.DisableGeneralOptionsHandler = s.DisableGeneralOptionsHandler
	r.HTTP2, r.Protocols = s.HTTP2, s.Protocols
	r.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		ctx = context.WithValue(ctx, http.ServerContextKey, s)
		if s.ConnContext != nil {
			ctx = s.ConnContext(ctx, c)
		}
		return ctx
	}
	return r
}

// Serve serves a listener of Ringo's in a task of its loop, also if a TLS listener is around it.
func (r *server) Serve(ln net.Listener) error {
	peers.Count()
	inner, config := ln, (*tls.Config)(nil)
	if t, ok := ln.(interface {
		RingoParts() (net.Listener, *tls.Config)
	}); ok {
		inner, config = t.RingoParts()
	}
	own, ok := inner.(*sock.Listener)
	if !ok {
		return r.Server.Serve(ln)
	}
	serve := func() error { return r.Server.Serve(own) }
	if config != nil {
		r.certify.Do(func() {
			r.TLSConfig, r.Protocols = config, new(http.Protocols) // only the protocols that tests offer
			r.Protocols.SetHTTP2(slices.Contains(config.NextProtos, "h2"))
			r.Protocols.SetHTTP1(!r.Protocols.HTTP2() || slices.Contains(config.NextProtos, "http/1.1"))
		})
		serve = func() error { return r.Server.ServeTLS(own, "", "") }
	}
	return own.Loop().Call(serve)
}

// lines writes what sockhttp logs to the log of net/http's server.
type lines struct{ s *http.Server }

func (lines) Enabled(context.Context, slog.Level) bool { return true }
func (h lines) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h lines) WithGroup(string) slog.Handler          { return h }

func (h lines) Handle(_ context.Context, r slog.Record) error {
	if h.s.ErrorLog != nil {
		h.s.ErrorLog.Print(r.Message)
	} else {
		log.Print(r.Message)
	}
	return nil
}
