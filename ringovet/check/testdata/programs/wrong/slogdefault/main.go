// Another default, which waits as well.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"

	"ringo/sock"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		slog.Info("came") // want `slog.Info`
	}))
}
