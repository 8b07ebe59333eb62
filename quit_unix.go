//go:build unix

package ringo

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"ringo/internal/loop"
)

// watchQuit waits for the signal, on a goroutine of its own, until stop is called.
func watchQuit() (stop func()) {
	heard, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(heard, syscall.SIGQUIT)
	go func() {
		select {
		case <-over:
			return
		case <-heard:
		}
		loop.WriteTasks(onStderr.say)
		onStderr.await(noticesPatience) // a stderr that is blocked does not keep the program from its end
		signal.Stop(heard)              // from here on the runtime's own answer, if nobody else listens
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Signal(syscall.SIGQUIT)
		}
	}()
	return sync.OnceFunc(func() {
		signal.Stop(heard)
		close(over)
	})
}
