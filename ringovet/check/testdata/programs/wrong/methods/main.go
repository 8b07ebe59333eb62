// Methods as functions that run on a loop: of values and pointers, of interfaces, generic ones, embedded ones, and those
// of other packages.
package main

import (
	"context"
	"log"
	"sync"
	"time"

	"programs/wrong/methods/beat"
	"ringo"
	"ringo/event"
)

type pump struct {
	l  *ringo.Loop
	mu *ringo.Mutex
}

func (p *pump) prun() {
	p.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*Loop\).Check at .*\(\*main.pump\).prun`
}

func (p pump) vrun() {
	p.deeper() // want `Loop\).Sleep parks in a callback.*Loop\).AfterFunc at .*\(main.pump\).vrun`
}

func (p pump) deeper() { p.l.Sleep(time.Second) }

func (p *pump) done(err error) {
	p.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*event.Go at .*\(\*main.pump\).done`
}

type part struct{ l *ringo.Loop }

func (p *part) promoted() {
	p.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*\(\*main.part\).promoted`
}

type whole struct{ *part }

type runner interface{ run() }

func (p *part) run() {
	p.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*\(\*main.part\).run`
}

type box[T any] struct {
	v T
	l *ringo.Loop
}

func (b *box[T]) run() {
	b.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*box.*run`
}

func (b *box[T]) waits() {
	time.Sleep(time.Second) // want `time.Sleep .*Loop\).Go at .*waits`
}

type call func()

func (c call) now() { c() }

func (p *pump) called() {
	p.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*\(\*main.pump\).called`
}

// both is a task, and a callback.
func (p *pump) both() {
	p.l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback.*\(\*main.pump\).both`
}

func (p *pump) wrapped() { p.l.Sleep(time.Second) }

func twice(f func()) func() {
	return func() {
		f() // want `Loop\).Sleep parks in a callback.*\(\*main.pump\).wrapped`
	}
}

func main() {
	log.Fatal(event.Run(context.Background(), nil, func(e *event.Loop) error {
		l := e.Ringo()
		p := &pump{l, new(ringo.Mutex)}
		e.Check(p.prun)
		e.AfterFunc(1, p.vrun)
		event.Go(e, func() (*pump, error) { return p, nil }, (*pump).done)
		w := whole{&part{l}}
		e.Prepare(w.promoted)
		var r runner = w
		e.Idle(r.run)
		b := &box[int]{1, l}
		e.Every(time.Second, b.run)
		l.Go(b.waits)
		e.Every(time.Second, call(p.called).now)
		l.Go(p.both)
		e.Every(time.Second, p.both)
		e.Every(time.Second, twice(p.wrapped))
		e.Every(time.Second, p.mu.Lock) // want `Mutex\).Lock parks in a callback`
		var group sync.WaitGroup
		l.Go(group.Wait) // want `sync.WaitGroup\).Wait`
		start := (*ringo.Loop).Go
		start(l, func() {
			time.Sleep(time.Second) // want `time.Sleep .*Loop\).Go at`
		})
		e.Every(time.Second, (&beat.Beat{L: l}).Tick) // want vet `beat.Beat\).Tick parks in a callback`
		e.Every(time.Second, beat.Tock)               // want vet `beat.Tock parks in a callback`
		return nil
	}))
}
