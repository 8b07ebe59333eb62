package loop

import "ringo/internal/driver"

// Driver gives the tests what the loop runs on.
func Driver(l *Loop) driver.Driver { return l.drv }

// Rest gives way for a turn.
func Rest(l *Loop) { l.rest() }

// TimerEntries is how many entries the loop's timers have.
func TimerEntries(l *Loop) int { return l.timers.Len() }

// Parked reports whether the task has given its thread away in a Park.
func Parked(t *Task) bool { return t.sp != 0 }
