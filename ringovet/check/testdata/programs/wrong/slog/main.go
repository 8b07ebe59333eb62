// A logger of one's own to stdout, from a field.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"

	"ringo/sock"
)

type server struct{ log *slog.Logger }

func (s *server) serve(c *sock.Conn) {
	s.log.Info("came", "peer", c.RemoteAddr()) // want `\(\*os.File\).Write .*sock.ListenAndServe at main.go:\d+ -> \(\*main.server\).serve -> \(\*slog.Logger\).Info`
}

func main() {
	s := &server{slog.New(slog.NewJSONHandler(os.Stdout, nil))}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", s.serve))
}
