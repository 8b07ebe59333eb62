package loop

// Events is what package event keeps for the loop; nil at first.
func (l *Loop) Events() any { return l.above.events }

// SetEvents stores it.
func (l *Loop) SetEvents(v any) { l.above.events = v }

// CountRun counts one of many things that a task runs one after the other, as if each were a task of its own, and
// reports whether the turn has room for another. If not the task is to let the others have a turn. T.
func (l *Loop) CountRun() bool {
	l.charged.items++
	return l.charged.items < l.cfg.Budget && l.charged.turn < l.callsMax() && !l.due()
}

// SetEachTurn has fn called in each turn, before tasks run: on the loop's own g, where it must not park and no program
// runs. nil: no more.
func (l *Loop) SetEachTurn(fn func()) { l.above.eachTurn = fn }

// Turn is the number of the present turn.
func (l *Loop) Turn() uint64 { return l.counts.Turns }
