package server

import (
	"sync"
	"time"

	"ringo"
)

// grace is how long a drain may last that a signal begins. It is set at the Run as soon as both are known: the signal,
// and a loop of the Run.
type grace struct {
	mu  sync.Mutex
	l   *ringo.Loop
	d   time.Duration
	has bool
}

// of sets the Run, by one of its loops. With a nil *grace the Run keeps its Config.Grace.
func (g *grace) of(l *ringo.Loop) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.l = l
	g.tell()
}

// set sets the grace.
func (g *grace) set(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.d, g.has = d, true
	g.tell()
}

func (g *grace) tell() {
	if g.has && g.l != nil {
		g.l.SetGrace(g.d)
	}
}
