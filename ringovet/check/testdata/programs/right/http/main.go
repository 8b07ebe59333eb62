// net/http on goroutines, with Ringo's listener.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"ringo"
	"ringo/sock"
)

type site struct{}

func (site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Millisecond)
	p, _ := os.ReadFile("x")
	w.Write(p)
}

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":8080")
		if err != nil {
			return err
		}
		http.Handle("/", site{})
		http.HandleFunc("/x", func(w http.ResponseWriter, r *http.Request) { time.Sleep(1) })
		failed := make(chan error, 1)
		go func() { failed <- http.Serve(ln, site{}) }()
		time.AfterFunc(time.Second, func() { time.Sleep(1) })
		return l.Offload(func(ctx context.Context) error {
			select {
			case err := <-failed:
				return err
			case <-ctx.Done():
				return nil
			}
		})
	}))
}
