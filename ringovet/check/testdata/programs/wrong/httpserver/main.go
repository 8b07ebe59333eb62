// net/http's server in a task.
package main

import (
	"context"
	"log"
	"net/http"

	"ringo"
	"ringo/sock"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":8080")
		if err != nil {
			return err
		}
		return http.Serve(ln, nil) // want `http.Serve .*a goroutine with a sock.Listener`
	}))
}
