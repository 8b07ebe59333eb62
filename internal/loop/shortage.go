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

// Seldom limits reports of one kind, such as failing accepts or parked callbacks, to one in ComplainEvery.
type Seldom struct {
	mu      sync.Mutex
	said    int64 // time of the last report
	unsaid  int   // events since then
	everSay bool
}

// Backoff counts an accept at an address that failed with res and will be tried again. No caller gets the error, and
// peers wait or see the connection end, so Backoff reports it, once in ComplainEvery for all loops. Only the loop's
// thread may call it.
func (l *Loop) Backoff(at net.Addr, res int32) {
	l.counts.Backoffs++
	l.set.short.Tell(l, "accepts fail", at, func() (string, slog.Attr) {
		err := fmt.Errorf("accept4: %w", posix.Error(res))
		outcome := "peers wait, and it tries again"
		if bound := l.Unwatchable(math.MaxInt32); res == -sys.EMFILE && bound != nil { // the driver's bound
			err, outcome = bound, "it ends connections that it can't serve"
		} else if remedy := Remedy(res); remedy != "" {
			err = fmt.Errorf("%w: %s", err, remedy)
		}
		return fmt.Sprintf("can't accept at %v: %v; %s", at, err, outcome), slog.String("error", err.Error())
	})
}

// Tell reports, if a report is due, what has happened at an address. words returns a text that goes on from "loop 1",
// and an attribute for the log. G.
func (s *Seldom) Tell(l *Loop, what string, at net.Addr, words func() (string, slog.Attr)) {
	if !l.cfg.Tells() {
		return
	}
	unsaid, left := s.Count(l.set.elapsed())
	if left > 0 {
		return
	}
	text, attr := words()
	text = fmt.Sprintf("ringo: loop %d %s\n", l.index, text)
	if unsaid > 0 {
		text += fmt.Sprintf("Since the last report that came %d more times.\n", unsaid)
	}
	l.cfg.Tell(what, text, slog.Int("loop", l.index), slog.String("at", at.String()), attr, slog.Int("unsaid", unsaid))
}

// Count counts an event. It returns how long it is until a report is due: if 0, the event is to be reported, and so
// many before it were not.
func (s *Seldom) Count(now int64) (unsaid int, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := ComplainEvery - time.Duration(now-s.said); s.everSay && left > 0 {
		s.unsaid++
		return 0, left
	}
	unsaid = s.unsaid
	s.said, s.everSay, s.unsaid = now, true, 0
	return unsaid, 0
}

// ComplainEvery is the least time between two complaints of one kind.
const ComplainEvery = 10 * time.Second

// Remedy returns what to do about the shortage behind the error res; empty if that is not known.
func Remedy(res int32) string {
	switch -res {
	case sys.EMFILE:
		return "raise RLIMIT_NOFILE (ulimit -n)"
	case sys.ENFILE:
		return "raise fs.file-max"
	}
	return ""
}
