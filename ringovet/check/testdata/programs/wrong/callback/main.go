// Callbacks that park, by themselves and far away.
package main

import (
	"context"
	"log"
	"time"

	"ringo"
	"ringo/event"
	"ringo/sock"
)

type proxy struct {
	event.Base
	backend *sock.Conn
	jobs    *ringo.Chan[string]
}

func (p *proxy) OnData(c *event.Conn, b []byte) int {
	p.forward(b) // want `\(\*sock.Conn\).Write parks in a callback`
	return len(b)
}

func (p *proxy) OnClose(c *event.Conn, err error) {
	p.jobs.Send("closed") // want `Chan\[.*\]\).Send parks in a callback`
}

func (p *proxy) OnEnd(c *event.Conn) {
	time.Sleep(time.Second) // want `time.Sleep`
}

func (p *proxy) forward(b []byte) { p.backend.Write(b) }

func main() {
	log.Fatal(event.Run(context.Background(), nil, func(l *event.Loop) error {
		c, err := sock.Dial(l.Ringo(), "tcp", "127.0.0.1:7001")
		if err != nil {
			return err
		}
		l.Every(time.Second, func() {
			l.Ringo().Sleep(time.Millisecond) // want `Loop\).Sleep parks in a callback`
		})
		_, err = l.Listen("tcp", ":7000", &proxy{backend: c, jobs: ringo.NewChan[string](1)})
		return err
	}))
}
