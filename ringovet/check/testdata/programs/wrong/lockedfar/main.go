// The lock is far from the wait.
package main

import (
	"context"
	"fmt"
	"log"
	"sync"

	"ringo/sock"
)

var (
	mu    sync.RWMutex
	peers = map[string]*sock.Conn{}
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		mu.Lock()
		peers[c.RemoteAddr().String()] = c
		mu.Unlock()
		broadcast("somebody came")
	}))
}

func broadcast(text string) {
	mu.RLock()
	for _, c := range peers {
		tell(c, text) // want `with mu locked parks.*main.tell -> fmt.Fprintln`
	}
	mu.RUnlock()
}

func tell(c *sock.Conn, text string) { fmt.Fprintln(c, text) }
