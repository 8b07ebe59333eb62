// Handlers of net/http where they may be.
package main

import (
	"context"
	"fmt"
	"io"
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

// upstream is asked from tasks.
var upstream = &http.Client{Transport: &sockhttp.Transport{Proxy: http.ProxyFromEnvironment}}

type proxy struct{ *http.Client }

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, c := range []*http.Client{upstream, {Transport: logged{new(sockhttp.Transport)}}} {
		answer, err := c.Get("http://127.0.0.1:9000" + r.URL.Path)
		if err != nil {
			continue
		}
		io.Copy(w, answer.Body)
		answer.Body.Close()
		return
	}
	answer, err := p.Get("http://127.0.0.1:9000" + r.URL.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	io.Copy(w, answer.Body)
}

// logged is middleware of a client.
type logged struct{ next http.RoundTripper }

func (l logged) RoundTrip(r *http.Request) (*http.Response, error) { return l.next.RoundTrip(r) }

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
	mux.Handle("/proxy/", sockhttp.Task(&proxy{&http.Client{Transport: new(sockhttp.Transport)}}))
	mux.Handle("/hits", sockhttp.Task(new(hits)))
	mux.Handle("/all/", sockhttp.Task(router))
	server := &sockhttp.Server{Handler: mux}
	log.Fatal(server.ListenAndServe(context.Background(), nil, ":8080"))
}
