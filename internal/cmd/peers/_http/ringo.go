package http

import (
	"context"
	"net"
	"sync"
)

// A RingoServer serves in the place of a Server.
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
	ringoTaking  sync.Mutex // who has it asks for a server, and configures that
	ringoMu      sync.Mutex
	ringoServers = map[*Server]RingoServer{} // nil: it was asked for, and is net/http's own
)

// ringoServe serves in its place. The last result says whether the other counts, as with all that follow.
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

// ringoTakes makes what serves in the server's place, the first time that it is asked; nil: nobody does.
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
	s.setupHTTP2_Serve() // which net/http's Serve does, too; tests look at what it leaves in TLSNextProto
	return r
}

// ringo is what serves in the server's place; nil: nobody does.
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
