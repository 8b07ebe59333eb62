// A helper starts the tasks.
package main

import (
	"context"
	"log"
	"time"

	"programs/wrong/spawn/spawn"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		spawn.Go(l, func() {
			time.Sleep(time.Second) // want `time.Sleep`
		})
		return nil
	}))
}
