// A chat server slows its clients down, and all others with them.
package main

import (
	"context"
	"log"
	"time"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", handle))
}

func handle(c *sock.Conn) {
	time.Sleep(10 * time.Millisecond) // want `time.Sleep .*; use Loop.Sleep \[sock.ListenAndServe at main.go:13 -> main.handle -> time.Sleep\]`
	c.Write([]byte("hello\n"))
}
