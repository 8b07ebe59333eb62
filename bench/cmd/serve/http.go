package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/valyala/fasthttp"

	"ringo/internal/test/selfsigned"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// body returns the body that the load generator expects.
func body(size int) []byte {
	const hello = "Hello, World!"
	return bytes.Repeat([]byte(hello), size/len(hello)+1)[:size]
}

// hello answers with a body of size bytes.
func hello(size int) http.Handler {
	p := body(size)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(p)
	})
}

// handler answers / with a body of size bytes, accepts a body that is posted to /, and answers /users/ID, which chi
// routes, with 1 KiB of JSON.
func handler(size int) http.Handler {
	first, mux := hello(size), chi.NewRouter()
	mux.Get("/users/{id}", writeUser)
	mux.Post("/", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, n)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/" { // routing is not what is measured here
			first.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

type user struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Orders []order `json:"orders"`
}

type order struct {
	Number int       `json:"number"`
	Item   string    `json:"item"`
	Price  float64   `json:"price"`
	At     time.Time `json:"at"`
	Paid   bool      `json:"paid"`
}

func writeUser(w http.ResponseWriter, r *http.Request) {
	u := user{ID: chi.URLParam(r, "id"), Name: "Somebody"}
	for i := range 10 {
		u.Orders = append(u.Orders, order{i, "a thing or two", 12.5, time.Unix(1700000000, 0).UTC(), i%2 == 0})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(&u)
}

// protocols are HTTP/1 and, for h2load, HTTP/2 without TLS.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func newHTTP(o *options) (*program, error) {
	s := &http.Server{Handler: handler(o.size), Protocols: protocols()}
	return &program{listener: s.Serve}, nil
}

func newHTTPS(o *options) (*program, error) {
	cert, _ := selfsigned.Must(selfsigned.Loopback())
	s := &http.Server{Handler: handler(o.size), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	return &program{listener: func(ln net.Listener) error { return s.ServeTLS(ln, "", "") }}, nil
}

func newSockHTTP(o *options) (*program, error) {
	s := &sockhttp.Server{Handler: o.placed(handler(o.size)), Protocols: protocols()}
	return &program{onLoop: func(ln *sock.Listener) error { return s.Serve(ln) }}, nil
}

func newSockHTTPS(o *options) (*program, error) {
	cert, _ := selfsigned.Must(selfsigned.Loopback())
	s := &sockhttp.Server{Handler: o.placed(handler(o.size)),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	return &program{onLoop: func(ln *sock.Listener) error { return s.ServeTLS(ln, "", "") }}, nil
}

// placed makes h run where -handler says.
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

// newReverse forwards requests to another server, over connections that it keeps.
func newReverse(o *options) (*program, error) {
	if o.on != onNet || o.to == "" {
		return nil, errors.New("-program reverse needs -to and -on net: Ringo's proxy is ringo proxy -http")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.DisableCompression = nil, true
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 1000, 1000
	s := &http.Server{Handler: &httputil.ReverseProxy{Transport: t, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: o.to})
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}}
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
