// Timers does with package event what the introductions of libuv and libev do with timers: one calls once, one calls
// repeatedly, and one is put off when something happens; and an idle hook does work in small pieces.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"ringo"
	"ringo/event"
	"ringo/logs"
)

func main() {
	if err := run(os.Stdout, 100*time.Millisecond); err != nil {
		log.Fatal(err)
	}
}

// run returns once nothing is active any more: no timer and no hook.
func run(stdout io.Writer, unit time.Duration) error {
	out := logs.NewWriter(stdout, nil) // a callback must not wait until stdout is read
	err := event.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *event.Loop) error {
		begin(l, out, unit)
		return nil
	})
	return errors.Join(err, out.Close())
}

// begin sets up the callbacks.
func begin(l *event.Loop, out io.Writer, unit time.Duration) {
	l.AfterFunc(5*unit, func() { fmt.Fprintln(out, "once") })

	ticks := 0
	var ticker *event.Timer
	ticker = l.Every(unit, func() {
		if ticks++; ticks == 3 {
			fmt.Fprintln(out, "three ticks")
			ticker.Stop()
		}
	})

	silence := l.AfterFunc(2*unit, func() { fmt.Fprintln(out, "nothing happens any more") })
	l.AfterFunc(unit, func() { silence.Reset(20 * unit) }) // something happens

	sum := 0
	var work *event.Hook
	work = l.Idle(func() {
		if sum++; sum == 1000 {
			fmt.Fprintln(out, "worked in 1000 pieces")
			work.Stop()
		}
	})
}
