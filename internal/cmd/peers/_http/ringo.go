package http

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
)

// A RingoServer serves HTTP/1 in the place of a Server.
type RingoServer interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
	SetKeepAlivesEnabled(bool)
	RegisterOnShutdown(func())
}

// RingoNewServer makes one; nil: package net/http serves.
var RingoNewServer func(*Server) RingoServer

var (
	ringoMu      sync.Mutex
	ringoServers = map[*Server]RingoServer{}
)

// ringoServe serves what is for HTTP/1 alone. The last result says whether the other counts, as with all that follow.
func (s *Server) ringoServe(l net.Listener) (error, bool) {
	p := s.protocols()
	if RingoNewServer == nil || s.shuttingDown() || p.UnencryptedHTTP2() || !p.HTTP1() ||
		len(s.TLSNextProto) > 0 && s.ringo() == nil {
		return nil, false
	}
	if t, ok := l.(interface {
		RingoParts() (net.Listener, *tls.Config)
	}); ok {
		if _, config := t.RingoParts(); slices.Contains(config.NextProtos, http2NextProtoTLS) {
			return nil, false
		}
	}
	if fn := testHookServerServe; fn != nil {
		fn(s, l)
	}
	if err := s.setupHTTP2_Serve(); err != nil { // of which tests look at what it leaves in TLSNextProto
		return err, true
	}
	ringoMu.Lock()
	r := ringoServers[s]
	if r == nil {
		r = RingoNewServer(s)
		ringoServers[s] = r
		r.SetKeepAlivesEnabled(s.doKeepAlives())
		s.mu.Lock()
		for _, f := range s.onShutdown {
			r.RegisterOnShutdown(f)
		}
		s.mu.Unlock()
	}
	ringoMu.Unlock()
	return r.Serve(l), true
}

// ringo is what serves in the server's place; nil: nobody does.
func (s *Server) ringo() RingoServer {
	if RingoNewServer == nil {
		return nil
	}
	ringoMu.Lock()
	defer ringoMu.Unlock()
	return ringoServers[s]
}

func (s *Server) ringoShutdown(ctx context.Context) (error, bool) {
	r := s.ringo()
	if r == nil {
		return nil, false
	}
	s.inShutdown.Store(true)
	return r.Shutdown(ctx), true
}

func (s *Server) ringoClose() (error, bool) {
	r := s.ringo()
	if r == nil {
		return nil, false
	}
	s.inShutdown.Store(true)
	return r.Close(), true
}

func (s *Server) ringoSetKeepAlivesEnabled(v bool) {
	if r := s.ringo(); r != nil {
		r.SetKeepAlivesEnabled(v)
	}
}

func (s *Server) ringoRegisterOnShutdown(f func()) {
	if r := s.ringo(); r != nil {
		r.RegisterOnShutdown(f)
	}
}
