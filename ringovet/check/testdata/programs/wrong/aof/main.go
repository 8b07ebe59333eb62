// A store appends to its log from the task, and syncs it.
package main

import (
	"context"
	"log"
	"os"

	"ringo/sock"
)

type store struct{ log *os.File }

func (s *store) set(line []byte) error {
	if _, err := s.log.Write(line); err != nil { // want `\(\*os.File\).Write .*package file`
		return err
	}
	return s.log.Sync() // want `\(\*os.File\).Sync`
}

func main() {
	f, err := os.Create("aof")
	if err != nil {
		log.Fatal(err)
	}
	s := &store{f}
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		s.set([]byte("x\n"))
	}))
}
