// Functions that are handed over two at a time.
package main

import (
	"context"
	"log"
	"time"

	"ringo"
	"ringo/event"
	"ringo/retry"
)

func main() {
	sh := ringo.NewSharded(func(*ringo.Loop) (int, error) { return 0, nil })
	err := ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		ringo.Reduce(sh, size, sum)
		retry.Hedge(l.Context(), nil, ask, drop)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(event.Run(context.Background(), nil, func(l *event.Loop) error {
		event.Go(l, load, func(int, error) {
			time.Sleep(time.Second) // want `time.Sleep .*event.Go at main.go:\d+`
		})
		return nil
	}))
}

func size(int) (int, error) {
	time.Sleep(time.Second) // want `time.Sleep .*ringo.Reduce at main.go:\d+`
	return 0, nil
}

func sum(a, b int) int {
	time.Sleep(time.Second) // want `time.Sleep .*ringo.Run at main.go:\d+ -> .* -> ringo.Reduce`
	return a + b
}

func ask(context.Context) (int, error) {
	time.Sleep(time.Second) // want `time.Sleep .*retry.Hedge`
	return 0, nil
}

func drop(int) {
	time.Sleep(time.Second) // want `time.Sleep .*retry.Hedge`
}

func load() (int, error) {
	time.Sleep(time.Second) // want `time.Sleep .*event.Go at main.go:\d+`
	return 0, nil
}
