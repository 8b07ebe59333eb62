package ringo

import "time"

// What users see of the engine's words.
var (
	InfoOf  = infoOf
	StatsOf = statsOf
)

// SetHardStop makes Runs give up on tasks earlier, and gives back how it was.
func SetHardStop(d time.Duration) (restore func()) {
	old := hardStop
	hardStop = d
	return func() { hardStop = old }
}

// Draining reports whether the loop knows that Run's context has ended.
func Draining(l *Loop) bool { return l.engine().Draining() }
