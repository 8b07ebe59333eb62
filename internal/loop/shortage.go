package loop

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Seldom is what is told of once in ComplainEvery: accepts that were put off, callbacks that are parked.
type Seldom struct {
	mu      sync.Mutex
	said    int64 // when that was told of
	unsaid  int   // those since
	everSay bool
}

// Backoff counts an accept at an address that gave res, and is tried again in a while. Nobody gets its error, and
// peers wait or just see an end: so it is told of, once in ComplainEvery for all loops. Only the loop's thread calls
// it.
func (l *Loop) Backoff(at net.Addr, res int32) {
	l.counts.Backoffs++
	l.set.short.Tell(l, "accepts fail", at, func() (string, slog.Attr) {
		err := fmt.Errorf("accept4: %w", posix.Error(res))
		outcome := "peers wait, and it tries again"
		if bound := l.Unwatchable(math.MaxInt32); res == -sys.EMFILE && bound != nil { // of which there may be more
			err, outcome = bound, "it ends connections that it can't serve"
		} else if remedy := Remedy(res); remedy != "" {
			err = fmt.Errorf("%w: %s", err, remedy)
		}
		return fmt.Sprintf("can't accept at %v: %v; %s", at, err, outcome), slog.String("error", err.Error())
	})
}

// Tell tells, if it is time to, that something has come about at an address: in words that go on from "loop 1", and
// by an attribute. G.
func (s *Seldom) Tell(l *Loop, what string, at net.Addr, words func() (string, slog.Attr)) {
	if !l.cfg.Tells() {
		return
	}
	unsaid, tell := s.Count(l.set.elapsed())
	if !tell {
		return
	}
	text, attr := words()
	text = fmt.Sprintf("ringo: loop %d %s\n", l.index, text)
	if unsaid > 0 {
		text += fmt.Sprintf("Since the last report that came %d more times.\n", unsaid)
	}
	l.cfg.Tell(what, text, slog.Int("loop", l.index), slog.String("at", at.String()), attr, slog.Int("unsaid", unsaid))
}

// Count counts one. It reports whether to tell of it, and how many nobody was told of.
func (s *Seldom) Count(now int64) (unsaid int, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.everSay && now-s.said < int64(ComplainEvery) {
		s.unsaid++
		return 0, false
	}
	unsaid = s.unsaid
	s.said, s.everSay, s.unsaid = now, true, 0
	return unsaid, true
}

// ComplainEvery keeps complaints apart that nobody asked for.
const ComplainEvery = 10 * time.Second

// Remedy is what to do about a shortage that res tells of; empty if that is not known.
func Remedy(res int32) string {
	switch -res {
	case sys.EMFILE:
		return "raise RLIMIT_NOFILE (ulimit -n)"
	case sys.ENFILE:
		return "raise fs.file-max"
	}
	return ""
}
