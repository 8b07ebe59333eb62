// Retries while it holds the table.
package main

import (
	"context"
	"log"
	"sync"
	"time"

	"ringo"
)

type table struct {
	sync.Mutex
	tries int
}

func main() {
	t := &table{}
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		t.Lock()
		for t.tries < 3 {
			t.tries++
			if err := l.Sleep(time.Second); err != nil { // want `Loop\).Sleep with t.Mutex locked`
				break
			}
		}
		t.Unlock()
		return nil
	}))
}
