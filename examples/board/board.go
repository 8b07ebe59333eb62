package main

import (
	"sync"
	"time"

	"ringo"
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
