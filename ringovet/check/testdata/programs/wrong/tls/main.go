// Two tasks share a tls.Conn.
package main

import (
	"context"
	"crypto/tls"
	"log"

	"ringo/sock"
)

func main() {
	cfg := &tls.Config{}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		t := tls.Server(c, cfg)
		c.Loop().Go(func() { // want `a crypto/tls.Conn that several tasks use lets a peer freeze the loop; use package sock/socktls`
			t.Write([]byte("hello"))
		})
		t.Read(make([]byte, 10))
	}))
}
