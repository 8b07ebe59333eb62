package loop

import (
	"bytes"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
)

// stallWatch notes turns that take too long. Counting costs a look at the clock a
// turn. With Config.OnStall a goroutine looks at the loops from outside as well,
// because only while a task holds the loop can its stack tell why.
type stallWatch struct {
	watched bool
	since   atomic.Int64  // when the present turn began, 0 while the driver waits
	goid    atomic.Uint64 // the goroutine that runs
	told    int64         // the watcher's: the turn that was reported
}

func (w *stallWatch) begin(l *Loop) {
	if w.watched {
		w.since.Store(l.now)
	}
}

func (w *stallWatch) end(l *Loop) {
	if l.cfg.Stall < 0 {
		return
	}
	began := l.now
	l.tick()
	if l.now-began > int64(l.cfg.Stall) {
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
			stack := stackOf(w.goid.Load())
			if w.since.Load() != since {
				continue // the turn ended meanwhile
			}
			w.told = since
			s.cfg.OnStall(l, time.Duration(now-since), stack)
		}
	}
}

// goid reads the id of the running goroutine off its stack trace.
func goid() uint64 {
	var b [64]byte
	head := bytes.TrimPrefix(b[:runtime.Stack(b[:], false)], []byte("goroutine "))
	id, _, _ := bytes.Cut(head, []byte(" "))
	n, _ := strconv.ParseUint(string(id), 10, 64)
	return n
}

// stackOf gives one goroutine's part of a trace of all.
func stackOf(id uint64) []byte {
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	head := []byte("goroutine " + strconv.FormatUint(id, 10) + " ")
	for part := range bytes.SplitSeq(all, []byte("\n\n")) {
		if bytes.HasPrefix(part, head) {
			return bytes.Clone(part)
		}
	}
	return nil
}
