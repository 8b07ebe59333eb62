package loop

// Events is what package event keeps for the loop; nil at first.
func (l *Loop) Events() any { return l.events }

// SetEvents stores it.
func (l *Loop) SetEvents(v any) { l.events = v }

// CountRun counts one of many things that a task runs one after the other, as if each were a task of its own, and
// reports whether the turn has room for another. If not the task is to let the others have a turn. T.
func (l *Loop) CountRun() bool {
	l.spent++
	return l.spent < l.cfg.Budget && l.turnCalls < l.callsMax() && !l.due()
}
