// A queue between tasks.
package main

import (
	"context"
	"log"
	"sync"

	"ringo"
)

type queue struct {
	mu    sync.Mutex
	ready *sync.Cond
	items []string
}

func (q *queue) take() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.ready.Wait() // want `\(\*sync.Cond\).Wait .*use ringo.Cond .*main.queue\).take`
	}
	s := q.items[0]
	q.items = q.items[1:]
	return s
}

func main() {
	q := &queue{}
	q.ready = sync.NewCond(&q.mu)
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.Post(func() { _ = q.take() })
		return nil
	}))
}
