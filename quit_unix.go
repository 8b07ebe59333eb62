//go:build unix

package ringo

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"ringo/internal/census"
)

// quitWatch counts the Runs with TasksOnQuit. However many there are, a SIGQUIT prints the tasks once.
var quitWatch struct {
	mu    sync.Mutex
	users int
	stop  func()
}

// watchQuit makes the process print its tasks at SIGQUIT, until every caller has called its stop.
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

// tellAtQuit starts a goroutine that waits for SIGQUIT until stop is called. At the signal it prints the tasks, and
// then sends the signal again, for the runtime's usual answer.
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
		signal.Stop(heard)              // from here on the runtime answers, unless there is another listener
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			self.Signal(syscall.SIGQUIT)
		}
	}()
	return func() {
		signal.Stop(heard)
		close(over)
	}
}
