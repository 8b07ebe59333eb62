package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

func (b *board) servePost(w http.ResponseWriter, r *http.Request) {
	var m message
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.At = time.Now()
	b.post(m)
	w.WriteHeader(http.StatusCreated)
}

func (b *board) serveList(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(b.list())
}

// serveEvents streams messages to a follower. It runs in a task: Flush, RecvContext and Fprintf wait by parking it.
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
		if err != nil { // the peer has left or is too slow, or the program ends
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
