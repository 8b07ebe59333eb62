// The bodies of loops over functions.
package main

import (
	"context"
	"iter"
	"log"
	"os"
	"sync"
	"time"

	"ringo"
	"ringo/event"
)

func three(yield func(int) bool) {
	for i := range 3 {
		if !yield(i) {
			return
		}
	}
}

func each[T any](all iter.Seq[T]) {
	for range all {
		time.Sleep(time.Second) // want `time.Sleep .*main.each`
	}
}

func main() {
	log.Fatal(event.Run(context.Background(), nil, func(e *event.Loop) error {
		var l *ringo.Loop = e.Ringo()
		for range three {
			time.Sleep(time.Second) // want `time.Sleep .*event.Run at`
			os.Remove("x")          // want `os.Remove .*event.Run at`
			time.Sleep(time.Second) //ringo:offloaded a silence in the body
		}
		each(three)
		var mu sync.Mutex
		mu.Lock()
		for range three { // want `Loop\).Sleep with mu locked`
			l.Sleep(time.Second)
		}
		mu.Unlock()
		e.AfterFunc(1, func() {
			for range three {
				l.Sleep(time.Second) // want `Loop\).Sleep parks in a callback`
			}
		})
		return nil
	}))
}
