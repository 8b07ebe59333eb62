// Locks that are held over waits behind interfaces.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"ringo"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

var (
	mu    sync.Mutex
	pages = map[string]string{}
)

func write(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	defer mu.Unlock()
	io.WriteString(w, pages[r.URL.Path]) // want `Write of an http.ResponseWriter with mu locked parks`
}

func direct(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	w.Write([]byte(pages[r.URL.Path])) // want `Write of an http.ResponseWriter with mu locked parks`
	mu.Unlock()
}

func flush(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	w.(http.Flusher).Flush() // want `Flush of an http.ResponseWriter with mu locked parks`
	mu.Unlock()
	f, ok := w.(http.Flusher)
	if !ok {
		return
	}
	c := http.NewResponseController(w)
	mu.Lock()
	c.Flush() // want `Flush of an http.ResponseWriter with mu locked parks`
	f.Flush() // want `Flush of an http.ResponseWriter with mu locked parks`
	mu.Unlock()
}

func read(_ http.ResponseWriter, r *http.Request) {
	mu.Lock()
	defer mu.Unlock()
	p, _ := io.ReadAll(r.Body) // want `Read of a Body of net/http with mu locked parks`
	pages["all"] = string(p)
	json.NewDecoder(r.Body).Decode(&pages) // want `Read of a Body of net/http with mu locked parks`
}

func limited(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	json.NewDecoder(http.MaxBytesReader(w, r.Body, 1000)).Decode(&pages) // want `with mu locked parks`
	r.Body = http.MaxBytesReader(w, r.Body, 100)
	io.Copy(w, r.Body) // want `with mu locked parks`
	mu.Unlock()
}

var client = &http.Client{Transport: &sockhttp.Transport{}}

func ask(w http.ResponseWriter, r *http.Request) {
	answer, err := client.Get("http://127.0.0.1:9000/")
	if err != nil {
		return
	}
	defer answer.Body.Close()
	mu.Lock()
	io.ReadAll(answer.Body) // want `Read of a Body of net/http with mu locked parks`
	mu.Unlock()
	mu.Lock()
	show(w, "all") // want `Write of an http.ResponseWriter with mu locked parks`
	mu.Unlock()
}

func show(w io.Writer, name string) { fmt.Fprintln(w, pages[name]) }

// counted is what middleware has handlers write to.
type counted struct {
	http.ResponseWriter
	n int
}

func (c *counted) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.ResponseWriter.Write(p)
}

func count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&counted{ResponseWriter: w}, r) })
}

type shown struct{}

func (shown) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mu.Lock()
	w.Write([]byte(pages["all"])) // want `Write of an http.ResponseWriter with mu locked parks`
	mu.Unlock()
}

func main() {
	mux := http.NewServeMux()
	for name, h := range map[string]http.HandlerFunc{"/write": write, "/direct": direct, "/flush": flush, "/read": read,
		"/limited": limited, "/ask": ask} {
		mux.Handle(name, sockhttp.Task(h))
	}
	mux.Handle("/shown", sockhttp.Task(count(shown{})))
	go sockhttp.ListenAndServe(context.Background(), nil, ":8080", mux)
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":7000")
		if err != nil {
			return err
		}
		l.Go(func() { accept(l, ln) })
		for {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			l.Go(func() {
				mu.Lock()
				defer mu.Unlock()
				c.Read(make([]byte, 10)) // want `Read of what \(\*sock.Listener\).Accept returns with mu locked parks`
				io.Copy(c, c)            // want `Listener\).Accept returns with mu locked parks`
			})
		}
	}))
}

func accept(l *ringo.Loop, ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		l.Go(func() { serve(c) })
		l.Go(func() { echo(c.(*sock.Conn)) })
	}
}

func serve(c net.Conn) {
	mu.Lock()
	io.WriteString(c, pages["all"]) // want `Write of what .*Listener\).Accept returns with mu locked parks`
	mu.Unlock()
}

func echo(c *sock.Conn) {
	mu.Lock()
	io.Copy(c, c) // want `sock.Conn\).ReadFrom with mu locked parks.*io.Copy`
	mu.Unlock()
	tell(c)
}

func tell(w io.Writer) {
	mu.Lock()
	fmt.Fprintln(w, pages["all"]) // want `sock.Conn\).Write with mu locked parks`
	mu.Unlock()
}
