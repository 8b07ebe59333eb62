// What is to be done at the end waits in the wrong way.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		l.OnDrain(func() {
			os.Remove("pid") // want `os.Remove .*Loop\).OnDrain`
		})
		var all ringo.WaitGroup
		all.Go(func() {
			time.Sleep(time.Second) // want `time.Sleep .*WaitGroup\).Go`
		})
		all.Wait()
		return l.Loops()[0].Call(func() error {
			time.Sleep(time.Second) // want `time.Sleep .*Loop\).Call`
			return nil
		})
	}))
}
