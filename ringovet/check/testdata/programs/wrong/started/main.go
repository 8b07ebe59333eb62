// Tasks that are functions and methods of others.
package main

import (
	"context"
	"log"

	"programs/wrong/started/lib"
	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.Go(lib.Serve)             // want vet `time.Sleep .*lib.Serve`
		l.Go(new(lib.Server).Serve) // want vet `time.Sleep .*Server\).Serve`
		l.Go(new(lib.Server).Serve) //ringo:offloaded a silence of where it is started
		return nil
	}))
}
