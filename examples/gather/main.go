// Gather is a service that asks others. For each request it asks all of them at once, in tasks on the loop of the
// request's connection, and answers with what they reply within a second. It shows how to use an http.Client in tasks.
//
//	gather http://127.0.0.1:8081/a http://127.0.0.1:8082/b &
//	curl localhost:8080
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"ringo"
	"ringo/sock/sockhttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the address to listen on")
	flag.Parse()
	g := newGatherer(flag.Args())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Println("gather on", *listen)
	if err := sockhttp.ListenAndServe(ctx, nil, *listen, sockhttp.Task(g)); err != nil {
		log.Fatal(err)
	}
}

// most is how long a request may take, and bytesMax how many bytes of an answer are read.
const (
	most     = time.Second
	bytesMax = 64 << 10
)

// A gatherer asks services.
type gatherer struct {
	urls   []string
	client *http.Client
}

func newGatherer(urls []string) *gatherer {
	t := &sockhttp.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	return &gatherer{urls, &http.Client{Transport: t}}
}

// answer is the reply of one service, or the error of asking it.
type answer struct {
	URL, Text string
	Error     string `json:",omitempty"`
}

// ServeHTTP answers a request. It runs in a task: WaitGroup.Go starts a task for each service, on the same loop, so
// answers needs no lock.
func (g *gatherer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), most)
	defer cancel()
	answers := make([]answer, len(g.urls))
	var asked ringo.WaitGroup
	for i, url := range g.urls {
		asked.Go(func() { answers[i] = g.ask(ctx, url) })
	}
	asked.Wait()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answers)
}

// ask asks one service.
func (g *gatherer) ask(ctx context.Context, url string) answer {
	text, err := g.get(ctx, url)
	if err != nil {
		return answer{URL: url, Error: err.Error()}
	}
	return answer{URL: url, Text: text}
}

func (g *gatherer) get(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	a, err := g.client.Do(r)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, bytesMax))
	return string(text), err
}
