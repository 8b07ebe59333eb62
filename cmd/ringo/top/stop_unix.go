//go:build unix

package top

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// notifyHangup returns a context that ends when the terminal does.
func notifyHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// notifyStops has the signal of Ctrl-Z sent to c, and no longer stop the process.
func notifyStops(c chan<- os.Signal) { signal.Notify(c, syscall.SIGTSTP) }

// stopProcess stops the process until the shell continues it. The signal may take another thread first, so it waits for
// the one that continues.
func stopProcess() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	self, err := os.FindProcess(os.Getpid())
	if err == nil && self.Signal(syscall.SIGSTOP) == nil {
		<-continued
	}
}
