// A task tells its starter by a Go channel, and the starter is a task as well.
package main

import (
	"context"
	"log"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		done := make(chan error)
		l.Go(func() {
			done <- l.Sleep(1) // want `channel send .*ringo.Chan.Send`
		})
		return <-done // want `channel receive .*ringo.Chan.Recv`
	}))
}
