// Loggers that never wait, the defaults among them.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"programs/right/logging/store"

	"ringo/logs"
	"ringo/sock"
)

type server struct {
	audit *slog.Logger
	out   *log.Logger
}

func main() {
	log.SetOutput(logs.NewWriter(os.Stderr, nil))
	slog.SetDefault(slog.New(logs.NewTextHandler(os.Stderr, nil, nil)))
	s := &server{
		audit: slog.New(logs.NewJSONHandler(os.Stdout, nil, nil)).With("program", "server"),
		out:   log.New(logs.NewWriter(os.Stdout, nil), "", 0),
	}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", s.serve))
}

func (s *server) serve(c *sock.Conn) {
	log.Print("came")
	slog.Info("came")
	s.audit.Info("came", "peer", c.RemoteAddr())
	s.out.Println("came")
	fmt.Fprintln(s.out.Writer(), "came")
	store.Get("x")
}
