// Tokens of a connection, in whose loops the task must not wait either.
package main

import (
	"bufio"
	"context"
	"log"
	"os"
	"sync"
	"time"

	"ringo/codec"
	"ringo/sock"
)

var lines = &codec.Delimited{Delim: "\n"}

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", handle))
}

func handle(c *sock.Conn) {
	s := codec.Scanner{Codec: lines}
	for line, err := range s.Tokens(c) {
		if err != nil {
			break
		}
		time.Sleep(time.Second) // want `time.Sleep .*ListenAndServe at`
		c.Write(line)
	}
	for range s.Buffered(c) {
		os.Remove("x") // want `os.Remove .*ListenAndServe at`
	}
	var mu sync.Mutex
	mu.Lock()
	s.Next(nil, c) // want `Scanner\).Next with mu locked`
	mu.Unlock()
	s.Next(nil, bufio.NewReader(os.Stdin)) // want `\(\*os.File\).Read `
}
