package sched

import (
	"fmt"
	"sync"
	"time"

	"ringo/internal/kernel"
)

var netpoll struct {
	sync.Mutex
	started bool
}

// StartNetpoll makes Go's runtime create its network poller. Otherwise the first timer creates it, and if no
// descriptor is left then, the runtime ends the program ("netpollinit failed"): a server that has run out of
// descriptors would die of the timer that its own drain arms. The poller keeps its two descriptors for the rest of the
// program's life.
func StartNetpoll() error {
	netpoll.Lock()
	defer netpoll.Unlock()
	if netpoll.started {
		return nil
	}
	if err := kernel.Spare(2); err != nil {
		return fmt.Errorf("ringo: descriptors for the poller of Go's runtime: %w (raise RLIMIT_NOFILE, or for the "+
			"whole system fs.file-max)", err)
	}
	time.AfterFunc(time.Hour, func() {}).Stop()
	netpoll.started = true
	return nil
}
