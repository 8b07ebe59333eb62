package server

import (
	"sync"
	"time"

	"ringo"
)

// grace is how long a drain may last that a signal begins. A Run has it from the first of its loops on, or, if that
// comes later, from the signal on.
type grace struct {
	mu  sync.Mutex
	l   *ringo.Loop
	d   time.Duration
	has bool
}

// of gives it to the Run of a loop. A nil one is the Run's own.
func (g *grace) of(l *ringo.Loop) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.l = l
	g.tell()
}

// set says what it is.
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
