// A task of a Group, whose function is in a map.
package main

import (
	"context"
	"log"
	"time"

	"ringo"
)

var jobs = map[string]func() error{
	"nap": func() error {
		time.Sleep(time.Second) // want `time.Sleep .*Group\).Go at main.go:\d+`
		return nil
	},
}

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		g := ringo.NewGroup(l)
		for _, j := range jobs {
			g.Go(j)
		}
		return g.Wait()
	}))
}
