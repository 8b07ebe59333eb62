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
	behind = 64      // messages that a follower may be behind, before it is dropped
	most   = 4 << 10 // bytes of a message
)

// board has the last messages. Handlers on goroutines and in tasks use it, so mu is a sync.Mutex. That is safe in
// tasks as long as it is held for a few lines only, and never during a wait: a task that waits for it stops its loop.
type board struct {
	mu        sync.Mutex
	messages  []message
	followers map[*follower]bool
	over      bool
}

// follower is a client that reads the event stream.
type follower struct {
	news *ringo.Chan[message] // closed when the stream has to end
	cut  func()               // ends a write that waits for the peer; it does not park
}

func newBoard() *board { return &board{followers: map[*follower]bool{}} }

// post keeps a message and sends it to the followers. It never waits for one: followers that are too far behind are
// dropped, and can reconnect and list what they have missed.
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

// follow makes a follower, which gets the messages posted from now on.
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

// close ends all streams. Without it, the drain would wait for them until Grace is over, since they have no end of
// their own.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	for f := range b.followers {
		f.news.Close()
	}
	clear(b.followers)
}
