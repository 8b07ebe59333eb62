// Left from a hunt for a bug.
package main

import (
	"context"
	"fmt"
	"log"

	"ringo/sock"
)

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		println("here")            // want `print to stderr`
		fmt.Println("peer", c)     // want `fmt.Println`
		defer fmt.Printf("gone\n") // want `fmt.Printf`
	}))
}
