// Board is a message board over HTTP: clients post and list messages as JSON, and follow them as server-sent events.
// It shows which handlers of net/http to mark for tasks, and how streams end when the program does.
//
//	curl -d '{"from":"me","text":"hello"}' localhost:8080/messages
//	curl localhost:8080/messages
//	curl -N localhost:8080/events
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"ringo/metrics"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the address to listen on")
	flag.Parse()
	set, err := sock.Reserve("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("board on", set.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, set); err != nil {
		log.Fatal(err)
	}
}

// serve serves on all loops until ctx ends. Then requests under way are answered, and close ends the streams.
func serve(ctx context.Context, set *sock.ListenerSet) error {
	b := newBoard()
	defer context.AfterFunc(ctx, b.close)()
	s := &sockhttp.Server{Handler: b.routes(), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return s.ServeSets(ctx, nil, []*sock.ListenerSet{set})
}

// routes says where each handler runs.
func (b *board) routes() http.Handler {
	mux := http.NewServeMux()
	// On a goroutine, like all handlers that are not marked: a real board would ask a database here, which may take a
	// while.
	mux.HandleFunc("POST /messages", b.servePost)
	mux.Handle("GET /metrics", metrics.Handler())
	// In a task on the connection's loop: it waits for nothing but the connection.
	mux.Handle("GET /messages", sockhttp.Task(http.HandlerFunc(b.serveList)))
	// In a task as well: it waits, but only by Ringo. So ten thousand followers cost a few kilobytes each, and no
	// goroutines.
	mux.Handle("GET /events", sockhttp.Task(http.HandlerFunc(b.serveEvents)))
	return mux
}
