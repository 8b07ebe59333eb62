package sockhttp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"

	"ringo/sock/sockhttp"
)

// A server whose handlers run on goroutines, but for one that is marked. It ends in order on an interrupt.
func ExampleListenAndServe() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user %s\n", r.PathValue("id")) // where a database is asked, which may take a while
	})
	mux.Handle("GET /ping", sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "pong\n")
	})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := sockhttp.ListenAndServe(ctx, nil, "127.0.0.1:8080", mux); err != nil {
		log.Fatal(err)
	}
}
