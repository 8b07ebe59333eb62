// A library wants one thread.
package main

import (
	"context"
	"log"
	"runtime"

	"ringo"
)

func main() {
	log.Fatal(ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		runtime.LockOSThread() // want `runtime.LockOSThread ends the process when the task parks`
		defer runtime.UnlockOSThread()
		return l.Sleep(1)
	}))
}
