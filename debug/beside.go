package debug

import (
	"sync"

	"ringo"
	"ringo/internal/loop"
)

// askEach asks the loops at the same time, so that many that are held take no longer than one.
func askEach[T any](loops []*ringo.Loop, ask func(*loop.Loop) T) []T {
	answers := make([]T, len(loops))
	var asked sync.WaitGroup
	for i, l := range loops {
		asked.Go(func() { answers[i] = ask((*loop.Loop)(l)) })
	}
	asked.Wait()
	return answers
}
