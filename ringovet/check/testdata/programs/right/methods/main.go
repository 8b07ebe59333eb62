// Methods as functions that run on a loop: callbacks that leave what parks to tasks, and tasks that park.
package main

import (
	"context"
	"log"
	"time"

	"ringo"
	"ringo/event"
)

type pump struct {
	l *ringo.Loop
	n int
}

func (p *pump) tick() {
	p.n++
	p.l.Go(p.parks)
}

func (p pump) parks() { p.l.Sleep(time.Second) }

func main() {
	log.Fatal(event.Run(context.Background(), nil, func(e *event.Loop) error {
		p := &pump{l: e.Ringo()}
		e.Check(p.tick)
		var t interface{ tick() } = p
		e.Idle(t.tick)
		p.l.Go(p.parks)
		event.Go(e, func() (*pump, error) { p.parks(); return p, nil }, func(p *pump, _ error) { p.tick() })
		return nil
	}))
}
