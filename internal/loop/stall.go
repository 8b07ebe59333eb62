package loop

import (
	"sync/atomic"
	"time"
)

// stallWatch notes turns that take too long. Counting costs a look at the clock a
// turn. With Config.OnStall a goroutine looks at the loops from outside as well,
// because only while a task holds the loop can its stack tell why.
type stallWatch struct {
	began   int64 // when the present turn began
	watched bool
	since   atomic.Int64 // began, for the watcher; 0 while the driver waits
	told    int64        // the watcher's: the turn that was reported
}

func (w *stallWatch) begin(l *Loop) {
	w.began = l.now
	if w.watched {
		w.since.Store(max(w.began, 1))
	}
}

func (w *stallWatch) end(l *Loop) {
	if l.cfg.Stall < 0 {
		return
	}
	l.tick()
	if l.now-w.began > int64(l.cfg.Stall) {
		l.stats.Stalls++
	}
	if w.watched {
		w.since.Store(0)
	}
}

// watchStalls looks at the loops until stop is closed.
func (s *Set) watchStalls(stop <-chan struct{}) {
	tick := time.NewTicker(max(s.cfg.Stall/2, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := int64(s.cfg.Clock().Sub(s.epoch))
		for _, l := range s.loops {
			w := &l.watch
			since := w.since.Load()
			if since == 0 || since == w.told || now-since <= int64(s.cfg.Stall) {
				continue
			}
			g := takeTrace().holder(l.goid)
			if g == nil || w.since.Load() != since {
				continue // the turn ended meanwhile
			}
			w.told = since
			s.cfg.OnStall(l, time.Duration(now-since), g.stack)
		}
	}
}
