// Locks around what is behind an interface and does not park.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"

	"ringo"
	"ringo/event"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

var (
	mu    sync.Mutex
	pages = map[string]string{}
)

// show writes to whatever it is given.
func show(w io.Writer, name string) { fmt.Fprintln(w, pages[name]) }

// page is written to memory under the lock, and sent without it.
func page(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	mu.Lock()
	if pages[r.URL.Path] == "" {
		http.Error(w, "none", http.StatusNotFound) // which is short: it waits in memory for the handler's end
		mu.Unlock()
		return
	}
	show(&b, r.URL.Path)
	w.Header().Set("Etag", pages["etag"])
	w.WriteHeader(http.StatusOK)
	mu.Unlock()
	b.WriteTo(w)
	show(w, "end")
}

// signed looks into a request of the program's own.
func signed(http.ResponseWriter, *http.Request) {
	ask, err := http.NewRequest("POST", "http://127.0.0.1:9000/", strings.NewReader("text"))
	if err != nil {
		return
	}
	mu.Lock()
	p, _ := io.ReadAll(ask.Body)
	pages["signed"] = string(p)
	mu.Unlock()
}

// slow runs on a goroutine, where a peer that is slow keeps others alone waiting.
func slow(w http.ResponseWriter, r *http.Request) {
	other.Lock()
	defer other.Unlock()
	io.Copy(w, r.Body)
}

var other sync.Mutex

func main() {
	mux := http.NewServeMux()
	mux.Handle("/page", sockhttp.Task(http.HandlerFunc(page)))
	mux.Handle("/signed", sockhttp.Task(http.HandlerFunc(signed)))
	mux.HandleFunc("/slow", slow)
	go sockhttp.ListenAndServe(context.Background(), nil, ":8080", mux)
	go sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) { show(c, "all") })
	log.Fatal(event.Run(context.Background(), nil, func(l *event.Loop) error {
		l.Check(func() {
			var b bytes.Buffer
			show(&b, "all")
			mu.Lock()
			show(&b, "all")
			mu.Unlock()
		})
		l.Ringo().Go(func() {
			in, err := sock.Dial(l.Ringo(), "tcp", "127.0.0.1:7000")
			if err != nil {
				return
			}
			show(in, "all")
			var kept ringo.Mutex
			kept.Lock()
			io.Copy(in, in)
			kept.Unlock()
		})
		return nil
	}))
}
