// A logger as a value, in a package that has tests.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"

	"programs/right/hooked/lib"

	"ringo/logs"
	"ringo/sock"
)

func main() {
	slog.SetDefault(slog.New(logs.NewTextHandler(os.Stderr, nil, nil)))
	s := &lib.Server{Say: slog.Info}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", s.Serve))
}
