//go:build unix

package ringo

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"ringo/internal/census"
)

// quitWatch is the Runs that want the tasks told at SIGQUIT: however many there are, they are told once.
var quitWatch struct {
	mu    sync.Mutex
	users int
	stop  func()
}

// watchQuit waits for the signal until all that have called it have called stop.
func watchQuit() (stop func()) {
	w := &quitWatch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users++; w.users == 1 {
		w.stop = tellAtQuit()
	}
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.users--; w.users == 0 {
			w.stop()
		}
	})
}

// tellAtQuit waits for the signal, on a goroutine of its own, until stop is called.
func tellAtQuit() (stop func()) {
	heard, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(heard, syscall.SIGQUIT)
	go func() {
		select {
		case <-over:
			return
		case <-heard:
		}
		census.WriteTasks(onStderr.say)
		onStderr.await(noticesPatience) // a stderr that is blocked does not keep the program from its end
		signal.Stop(heard)              // from here on the runtime's own answer, if nobody else listens
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Signal(syscall.SIGQUIT)
		}
	}()
	return func() {
		signal.Stop(heard)
		close(over)
	}
}
