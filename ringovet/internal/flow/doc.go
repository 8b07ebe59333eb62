// Package flow finds out where values come from: which functions a call through a value may call, and which types a
// value of an interface may have.
//
// It goes backwards from a use: through variables, fields, elements of slices and maps, channels, closures, arguments
// and results. It does not tell the values of a struct type apart: a field counts as one variable. At a parameter it
// stops, if asked to, since the caller of this package knows which call it looks at: so a helper that goroutines call
// with a file is not taken to write files in tasks.
package flow
