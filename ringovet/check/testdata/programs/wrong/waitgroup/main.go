// errgroup's words without errgroup.
package main

import (
	"context"
	"log"
	"sync"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		var wg sync.WaitGroup
		for range 10 {
			wg.Add(1)
			l.Go(func() { defer wg.Done() })
		}
		wg.Wait() // want `\(\*sync.WaitGroup\).Wait .*ringo.WaitGroup`
		return nil
	}))
}
