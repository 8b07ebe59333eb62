// A key for each client.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		_, _ = rsa.GenerateKey(rand.Reader, 4096) // want `rsa.GenerateKey .*Loop.Compute`
	}))
}
