// Statistics every second.
package main

import (
	"context"
	"log"
	"time"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for range t.C { // want `channel receive`
			report(l)
		}
		return nil
	}))
}

func report(l *ringo.Loop) { _ = l.Stats() }
