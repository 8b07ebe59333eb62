// Api is a typical service, with net/http's handlers on Ringo's loops: notes in a PostgreSQL database behind routes of
// chi, one route that is requested most, a chat by WebSockets that can be followed as server-sent events, metrics, and
// an orderly end. It shows which handlers to run in tasks, and which to leave on goroutines.
//
//	DATABASE_URL=postgres://user:password@127.0.0.1:5432/database go run ./api
//	curl -d '{"text":"buy milk"}' localhost:8080/notes
//	curl localhost:8080/notes
//	curl localhost:8080/count
//	curl -N localhost:8080/events
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"ringo"
	"ringo/metrics"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the address to listen on")
	flag.Parse()
	if err := run(*listen, os.Getenv("DATABASE_URL")); err != nil {
		log.Fatal(err)
	}
}

func run(listen, url string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	notes, err := openNotes(ctx, db)
	if err != nil {
		return err
	}
	set, err := sock.Reserve("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println("api on", set.Addr())
	return serve(ctx, set, notes, nil)
}

// serve serves on all loops until ctx ends. Then requests under way are answered, and r.close ends streams and chats.
func serve(ctx context.Context, set *sock.ListenerSet, notes *notes, cfg *ringo.Config) error {
	r := newRoom()
	defer context.AfterFunc(ctx, r.close)()
	s := &sockhttp.Server{Handler: routes(notes, r), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return s.ServeSets(ctx, cfg, []*sock.ListenerSet{set})
}

// routes says where each handler runs.
func routes(n *notes, r *room) http.Handler {
	mux := http.NewServeMux()
	// On goroutines, like all handlers that are not marked: they wait for a database, and middleware of others may
	// wait too.
	mux.Handle("/", n.router())
	mux.Handle("GET /metrics", metrics.Handler())
	// In a task on the connection's loop: it waits for nothing but the connection.
	mux.Handle("GET /count", sockhttp.Task(http.HandlerFunc(n.serveCount)))
	// In tasks as well: they wait, but only for a ringo.Chan and for the connection, which parks the task.
	mux.Handle("GET /events", sockhttp.Task(http.HandlerFunc(r.serveEvents)))
	mux.Handle("GET /chat", sockhttp.Task(http.HandlerFunc(r.serveChat)))
	return mux
}
