// Board is a message board over HTTP: messages are posted and listed as JSON, and followed as server-sent events. It
// shows which handlers of net/http to mark for tasks, and how streams end when the program does.
//
//	curl -d '{"from":"me","text":"hello"}' localhost:8080/messages
//	curl localhost:8080/messages
//	curl -N localhost:8080/events
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"ringo"
	"ringo/metrics"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

type message struct {
	From string    `json:"from"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

const (
	kept   = 1000    // messages
	behind = 64      // that a follower may be, before it is let go
	most   = 4 << 10 // bytes of a message
)

// board has the last messages. Handlers on goroutines and in tasks use it, so mu is locked for a few lines at a time,
// and never while anybody waits.
type board struct {
	mu        sync.Mutex
	messages  []message
	followers map[*follower]bool
	over      bool
}

// follower is who reads a stream.
type follower struct {
	news *ringo.Chan[message] // closed at the end
	cut  func()               // ends a write that waits for the peer
}

func newBoard() *board { return &board{followers: map[*follower]bool{}} }

// post keeps a message and tells the followers. Those that are too far behind are let go: they come back, and list what
// they have missed.
func (b *board) post(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.messages = append(b.messages, m); len(b.messages) > kept {
		b.messages = b.messages[1:]
	}
	for f := range b.followers {
		if !f.news.TrySend(m) {
			delete(b.followers, f)
			f.news.Close()
			f.cut()
		}
	}
}

func (b *board) list() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]message{}, b.messages...)
}

// follow makes a follower, who gets what is posted from now on.
func (b *board) follow(cut func()) *follower {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &follower{ringo.NewChan[message](behind), cut}
	if b.over {
		f.news.Close()
	} else {
		b.followers[f] = true
	}
	return f
}

func (b *board) leave(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.followers, f)
}

// close lets all followers go, which would stay for as long as their peers do.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	for f := range b.followers {
		f.news.Close()
	}
	clear(b.followers)
}

// routes says where each handler runs.
func (b *board) routes() http.Handler {
	mux := http.NewServeMux()
	// On a goroutine, as all that is not marked: here a database would be asked, which may take a while.
	mux.HandleFunc("POST /messages", b.servePost)
	mux.Handle("GET /metrics", metrics.Handler())
	// In a task on the connection's loop: it waits for nothing.
	mux.Handle("GET /messages", sockhttp.Task(http.HandlerFunc(b.serveList)))
	// In a task as well: it waits, but by Ringo alone, and so ten thousand followers cost some kilobytes each.
	mux.Handle("GET /events", sockhttp.Task(http.HandlerFunc(b.serveEvents)))
	return mux
}

func (b *board) servePost(w http.ResponseWriter, r *http.Request) {
	m := message{At: time.Now()}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.post(m)
	w.WriteHeader(http.StatusCreated)
}

func (b *board) serveList(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(b.list())
}

func (b *board) serveEvents(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	f := b.follow(func() { out.SetWriteDeadline(time.Unix(1, 0)) })
	defer b.leave(f)
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		if err := out.Flush(); err != nil {
			return
		}
		m, err := f.news.RecvContext(r.Context())
		if err != nil { // the follower has gone, is too slow, or the program ends
			return
		}
		data, err := json.Marshal(m)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
			return
		}
	}
}

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

// serve serves on all loops until ctx ends: requests that are under way are answered, streams end.
func serve(ctx context.Context, set *sock.ListenerSet) error {
	defer set.Close()
	b := newBoard()
	defer context.AfterFunc(ctx, b.close)()
	s := &sockhttp.Server{Handler: b.routes(), ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}
