package ringo

// What users see of the engine's words.
var (
	InfoOf  = infoOf
	StatsOf = statsOf
)

// Draining reports whether the loop knows that Run's context has ended.
func Draining(l *Loop) bool { return l.engine().Draining() }
