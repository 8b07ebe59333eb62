// Echo sends back what it receives. It is the program of the README, with a task for each connection.
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
