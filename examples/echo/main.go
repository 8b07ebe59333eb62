// Echo sends back what it gets: the program of the README, a task for each connection.
package main

import (
	"context"
	"io"
	"log"
	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) { io.Copy(c, c) }))
}
