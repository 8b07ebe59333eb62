// Handlers of net/http where they may be.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"ringo"
	"ringo/file"
	"ringo/sock/sockhttp"
)

// page waits by Ringo.
func page(w http.ResponseWriter, _ *http.Request) {
	p, err := file.ReadFile("page.html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.Write(p)
}

// slow waits by Go.
func slow(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
	}
	p, _ := os.ReadFile("page.html")
	w.Write(p)
}

type hits struct {
	mu ringo.Mutex
	n  int
}

func (h *hits) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	fmt.Fprintln(w, h.n)
}

func main() {
	router := http.NewServeMux()
	router.Handle("/slow", sockhttp.Goroutine(http.HandlerFunc(slow)))
	router.HandleFunc("/page", page)

	mux := http.NewServeMux()
	mux.HandleFunc("/slow", slow)
	mux.Handle("/page", sockhttp.Task(http.HandlerFunc(page)))
	mux.Handle("/hits", sockhttp.Task(new(hits)))
	mux.Handle("/all/", sockhttp.Task(router))
	server := &sockhttp.Server{Handler: mux}
	log.Fatal(server.ListenAndServe(context.Background(), nil, ":8080"))
}
