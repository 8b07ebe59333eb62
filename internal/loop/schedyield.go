package loop

import "runtime"

// schedYield goes through the scheduler now and then while the loop is busy. Others may have the P for long then.
func (l *Loop) schedYield() {
	if s := l.cfg.Stage; s != nil {
		s.schedYield()
	} else if l.lastYield.Due(l.clock.now) {
		gosched()
		l.tick()
	}
}

// stagedYield is how many turns the loops of a stage have from one yield to the next, in some 5 ms: its clock, which
// may go on by a millisecond or an hour in that time, can't tell.
const stagedYield = 4096

func (s *Stage) schedYield() {
	if len(s.watched) > 0 { // also here: beside a loop that keeps its turns to itself, TurnEnds is not called
		s.lookAtContexts()
	}
	if s.turns++; s.turns%stagedYield == 0 {
		gosched()
	}
}

var gosched = runtime.Gosched // but in tests
