// A server within a task.
package main

import (
	"context"
	"log"

	"ringo"
	"ringo/sock"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		return sock.ListenAndServe(l.Context(), nil, "tcp", ":7000", func(c *sock.Conn) {}) // want `sock.ListenAndServe fails`
	}))
}
