package watch

import (
	"fmt"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/loop"
)

// crowd is the loops of all Runs of the process.
var crowd struct {
	sync.Mutex
	loops int
	said  bool // somebody was told that they are too many, which is said once
}

// countLoops counts the loops of a Run until leave is called. More loops than processors take turns at them, and what
// one asks of another waits for its turn, at the cost of a wake. Nothing in the program shows that, so it is said.
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
