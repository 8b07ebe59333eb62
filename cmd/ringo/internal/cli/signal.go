package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// UntilSignal returns a context that ends at the first SIGINT or SIGTERM, for which it calls first. The second signal
// exits the process at once, with the exit code that a shell shows for a program that the signal has killed.
func UntilSignal(first func(os.Signal)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case s := <-signals:
				if n > 1 {
					os.Exit(killedBy(s))
				}
				first(s)
				cancel()
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

func killedBy(s os.Signal) int {
	if n, ok := number(s); ok {
		return 128 + n
	}
	return ExitFailure
}
