package main

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/valyala/fasthttp"

	"ringo/sock"
	"ringo/sock/sockhttp"
)

// body is what the load generator expects.
func body(size int) []byte {
	const hello = "Hello, World!"
	return bytes.Repeat([]byte(hello), size/len(hello)+1)[:size]
}

// hello answers with a body.
func hello(size int) http.Handler {
	p := body(size)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(p)
	})
}

// protocols are HTTP/1 and, for h2load, HTTP/2 in the clear.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func newHTTP(o *options) (*program, error) {
	s := &http.Server{Handler: hello(o.size), Protocols: protocols()}
	return &program{listener: s.Serve}, nil
}

func newHTTPS(o *options) (*program, error) {
	cert, err := certificate()
	s := &http.Server{Handler: hello(o.size), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	return &program{listener: func(ln net.Listener) error { return s.ServeTLS(ln, "", "") }}, err
}

func newSockHTTP(o *options) (*program, error) {
	s := &sockhttp.Server{Handler: o.placed(hello(o.size)), Protocols: protocols()}
	return &program{onLoop: func(ln *sock.Listener) error { return s.Serve(ln) }}, nil
}

func newSockHTTPS(o *options) (*program, error) {
	cert, err := certificate()
	s := &sockhttp.Server{Handler: o.placed(hello(o.size)),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	return &program{onLoop: func(ln *sock.Listener) error { return s.ServeTLS(ln, "", "") }}, err
}

// placed is a handler that runs where -handler says.
func (o *options) placed(h http.Handler) http.Handler {
	if o.handler == perConn {
		return sockhttp.Task(h)
	}
	return h
}

func newFiles(o *options) (*program, error) {
	s := &http.Server{Handler: http.FileServer(http.Dir(o.dir))}
	return &program{listener: s.Serve}, nil
}

func newFasthttp(o *options) (*program, error) {
	p := body(o.size)
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.Write(p) }}
	return &program{
		conn:     func(c net.Conn) { s.ServeConn(c) },
		listener: s.Serve,
	}, nil
}
