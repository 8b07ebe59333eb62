// Names of peers.
package main

import (
	"context"
	"log"
	"net"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		names, err := net.LookupAddr(host) // want `net.LookupAddr waits for a name server`
		if err == nil && len(names) > 0 {
			c.Write([]byte(names[0]))
		}
	}))
}
