package loop

import (
	"fmt"
	"math"

	"ringo/internal/sys"
)

// shortage is what a loop remembers of accepts that it could not make.
type shortage struct {
	said    int64 // when it was told of, by the turn's time
	unsaid  int   // those since
	everSay bool
}

// Backoff counts an accept that gave res and waits for the shortage to pass. Where
// the driver can't watch more descriptors the process has more to give, and nothing
// but another configuration helps: the peers just see an end, so the operator is
// told, as of a stall, once in complainEvery of each loop.
func (l *Loop) Backoff(res int32) {
	l.stats.Backoffs++
	bound := l.Unwatchable(math.MaxInt32)
	if res != -sys.EMFILE || bound == nil || l.cfg.Complain == nil {
		return
	}
	s := &l.short
	if s.everSay && l.now-s.said < int64(complainEvery) {
		s.unsaid++
		return
	}
	text := fmt.Sprintf("ringo: loop %d ends connections that it can't serve: %v\n", l.index, bound)
	if s.unsaid > 0 {
		text += fmt.Sprintf("Since the last report that came %d more times.\n", s.unsaid)
	}
	s.said, s.everSay, s.unsaid = l.now, true, 0
	l.cfg.Complain(text)
}
