// A silence that gives no reason.
package main

import (
	"context"
	"log"
	"time"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		//ringo:offloaded
		time.Sleep(time.Second) // want -1 `//ringo:offloaded has no reason`
	}))
}
