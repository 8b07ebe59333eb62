// Package flow finds out where values come from: which functions a call through a value may call, and of which types
// the value of an interface may be.
//
// It goes backwards from a use: through variables, fields, elements of slices and maps, channels, closures, arguments
// and results. A field is one for all values of its struct type. A parameter is left to the caller of this package, who
// knows which call it looks at: so that a helper that goroutines call with a file is not thought to write one for
// tasks.
package flow
