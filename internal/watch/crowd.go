package watch

import (
	"fmt"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/loop"
)

// crowd counts the loops of all Runs of the process.
var crowd struct {
	sync.Mutex
	loops int
	said  bool // it was reported that there are too many, which is done once
}

// countLoops counts the loops of a Run until leave is called, and reports once if there are more loops than
// processors. Such loops take turns on the processors, and what one asks of another waits for its turn, at the cost of
// a wake. Nothing else in the program would show that.
func countLoops(cfg *loop.Config) (leave func()) {
	crowd.Lock()
	crowd.loops += cfg.Loops
	text := ""
	if cfg.Tells() && !crowd.said {
		if cpus := cpus(cfg); crowd.loops > cpus {
			crowd.said = true
			text = crowded(crowd.loops, cpus)
		}
	}
	crowd.Unlock()
	if text != "" {
		cfg.Tell("too many loops", text)
	}
	return func() {
		crowd.Lock()
		crowd.loops -= cfg.Loops
		crowd.Unlock()
	}
}

func cpus(c *loop.Config) int {
	if c.CPUs == nil {
		return kernel.CPUCount()
	}
	return c.CPUs()
}

func crowded(loops, cpus int) string {
	unit := "CPUs"
	if cpus == 1 {
		unit = "CPU"
	}
	return fmt.Sprintf("ringo: %d loops run, and the process may use %d %s: each loop is a thread, so they take "+
		"turns, and each turn costs a switch and often a wake. Set Config.Loops so that all Runs together have no "+
		"more than %d. docs/performance.md has the figures.\n", loops, cpus, unit, cpus)
}
