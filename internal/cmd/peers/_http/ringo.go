package http

import (
	"context"
	"net"
	"sync"
)

// A RingoServer serves in place of a Server.
type RingoServer interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
	SetKeepAlivesEnabled(bool)
	RegisterOnShutdown(func())
}

// RingoNewServer makes a RingoServer; nil: package net/http serves.
var RingoNewServer func(*Server) RingoServer

var (
	ringoTaking  sync.Mutex // held while a server is made and configured
	ringoMu      sync.Mutex
	ringoServers = map[*Server]RingoServer{} // nil: net/http itself serves
)

// ringoServe serves in place of Serve. The last result, here and below, reports whether the other results count.
func (s *Server) ringoServe(l net.Listener) (error, bool) {
	if RingoNewServer == nil || s.shuttingDown() {
		return nil, false
	}
	r := s.ringoTakes()
	if r == nil {
		return nil, false
	}
	if fn := testHookServerServe; fn != nil {
		fn(s, l)
	}
	return r.Serve(l), true
}

// ringoTakes returns the RingoServer of a server, and makes it at the first call; nil: net/http itself serves.
func (s *Server) ringoTakes() RingoServer {
	ringoTaking.Lock()
	defer ringoTaking.Unlock()
	r, known := s.ringo()
	if known {
		return r
	}
	if len(s.TLSNextProto) == 0 {
		r = RingoNewServer(s)
		r.SetKeepAlivesEnabled(s.doKeepAlives())
		s.mu.Lock()
		for _, f := range s.onShutdown {
			r.RegisterOnShutdown(f)
		}
		s.mu.Unlock()
	}
	ringoMu.Lock()
	ringoServers[s] = r
	ringoMu.Unlock()
	s.setupHTTP2_Serve() // as net/http's Serve does; tests look at the TLSNextProto that it leaves
	return r
}

// ringo returns the RingoServer of a server, nil if there is none. known reports whether that was decided.
func (s *Server) ringo() (r RingoServer, known bool) {
	ringoMu.Lock()
	defer ringoMu.Unlock()
	r, known = ringoServers[s]
	return r, known
}

func (s *Server) ringoShutdown(ctx context.Context) (error, bool) {
	r, _ := s.ringo()
	if r == nil {
		return nil, false
	}
	s.inShutdown.Store(true)
	return r.Shutdown(ctx), true
}

func (s *Server) ringoClose() (error, bool) {
	r, _ := s.ringo()
	if r == nil {
		return nil, false
	}
	s.inShutdown.Store(true)
	return r.Close(), true
}

func (s *Server) ringoSetKeepAlivesEnabled(v bool) {
	if r, _ := s.ringo(); r != nil {
		r.SetKeepAlivesEnabled(v)
	}
}

func (s *Server) ringoRegisterOnShutdown(f func()) {
	if r, _ := s.ringo(); r != nil {
		r.RegisterOnShutdown(f)
	}
}
