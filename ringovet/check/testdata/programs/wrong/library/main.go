// The wait is in another package.
package main

import (
	"context"
	"log"

	"programs/wrong/library/store"

	"ringo/sock"
)

func main() {
	s := store.New()
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		s.Get("key") // want vet `channel send .*Store\).Get -> .*Store\).ask.*; behind this call also a channel receive$`
		s.Each(func(string) {
			<-c.Loop().Context().Done() // want `channel receive`
		})
	}))
}
