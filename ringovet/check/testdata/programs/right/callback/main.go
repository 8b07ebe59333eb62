// Callbacks that leave what parks to tasks.
package main

import (
	"context"
	"log"
	"time"

	"ringo"
	"ringo/event"
	"ringo/sock"
)

type server struct{ event.Base }

func (s *server) OnData(c *event.Conn, b []byte) int {
	c.Write(b)
	l := c.Loop()
	l.Ringo().Go(func() { l.Ringo().Sleep(time.Second) })
	event.Go(l, func() (*sock.Conn, error) { return sock.Dial(l.Ringo(), "tcp", "127.0.0.1:7001") },
		func(*sock.Conn, error) {})
	return len(b)
}

// OnOpenings is no callback.
func (s *server) OnOpenings(l *ringo.Loop) { l.Sleep(time.Second) }

func main() {
	log.Fatal(event.Run(context.Background(), nil, func(l *event.Loop) error {
		if _, err := l.Listen("tcp", ":7000", &server{}); err != nil {
			return err
		}
		l.AfterFunc(time.Second, func() { l.Stop() })
		return l.Ringo().Sleep(time.Second)
	}))
}
