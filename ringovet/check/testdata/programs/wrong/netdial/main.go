// A proxy dials with package net.
package main

import (
	"context"
	"io"
	"log"
	"net"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		b, err := net.Dial("tcp", "127.0.0.1:8000") // want `net.Dial .*sock.Dial`
		if err != nil {
			return
		}
		defer b.Close()
		buf := make([]byte, 1024)
		n, err := b.Read(buf) // want `Read of a connection of package net`
		if err != nil {
			return
		}
		io.WriteString(b, string(buf[:n])) // want `Write of a connection of package net .*io.WriteString`
	}))
}
