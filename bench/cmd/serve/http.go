package main

import (
	"bytes"
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

func newHTTP(o *options) (*program, error) {
	s := &http.Server{Handler: hello(o.size)}
	return &program{listener: s.Serve}, nil
}

func newSockHTTP(o *options) (*program, error) {
	h := hello(o.size)
	if o.handler == perConn {
		h = sockhttp.Task(h)
	}
	s := &sockhttp.Server{Handler: h}
	return &program{onLoop: func(ln *sock.Listener) error { return s.Serve(ln) }}, nil
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
