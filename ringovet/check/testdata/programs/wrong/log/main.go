// The default logger writes to stderr.
package main

import (
	"context"
	"log"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		log.Printf("%v came", c.RemoteAddr()) // want `log.Printf stops the loop while stderr is a pipe that is full`
	}))
}
