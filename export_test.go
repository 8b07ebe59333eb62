package ringo

// Draining reports whether the loop knows that Run's context has ended.
func Draining(l *Loop) bool { return l.engine().Draining() }
