package ringo

import (
	"os"
	"os/signal"
	"sync"

	"ringo/internal/loop"
)

// Signals returns a Chan that receives the given signals of the process, or all signals if none are given. Use it
// instead of [signal.Notify], whose channel would stop the loop of a task that receives. The rules of Notify apply: the
// signals' default action is off until stop, and all other listeners get them as well. While a signal waits to be
// received, further ones of the same kind are dropped, as the kernel drops them while one is pending; there is always
// room for one of each kind.
//
// stop ends the delivery, and restores the default action of signals that have no other listener. It closes the Chan:
// signals that arrived earlier are received first, then Recv returns ErrClosed. stop does not wait, and calling it
// again does nothing.
//
// Any goroutine may call Signals and stop, before a Run and while it lasts; the Chan outlives Runs. A task that waits
// for signals keeps a drain waiting, unless it was started by Loop.GoBackground. A simulated world has no signals, so
// none arrive there. See signal(7).
func Signals(signals ...os.Signal) (c *Chan[os.Signal], stop func()) {
	const kinds = 65 // Linux has 64, from 1
	c = NewChan[os.Signal](kinds)
	if loop.Home() != nil || loop.Around() {
		return c, c.Close
	}
	heard := make(chan os.Signal, kinds)
	signal.Notify(heard, signals...)
	go func() {
		for s := range heard {
			sendOnce(c, s)
		}
		c.Close()
	}()
	return c, sync.OnceFunc(func() {
		signal.Stop(heard) // nothing is sent to it from here on
		close(heard)
	})
}

// sendOnce sends s unless c already holds a signal of that kind, or has no room.
func sendOnce(c *Chan[os.Signal], s os.Signal) {
	var to *waiter[os.Signal]
	c.mu.Lock()
	if !holds(c, s) {
		to, _, _ = c.send(s)
	}
	c.mu.Unlock()
	if to != nil {
		to.p.Wake()
	}
}

// holds reports whether v is in the channel. The caller holds the lock.
func holds[T comparable](c *Chan[T], v T) bool {
	for i := range c.n {
		if c.buffer[(c.first+i)%len(c.buffer)] == v {
			return true
		}
	}
	return false
}
