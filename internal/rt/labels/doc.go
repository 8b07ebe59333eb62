// Package labels reads and sets the labels that profiles show of the running goroutine, those of
// runtime/pprof's Do and SetGoroutineLabels.
//
// A goroutine inherits the labels of the one that starts it. A task runs in a coroutine that another goroutine has
// made earlier, so the loop has to pass the labels on; but runtime/pprof can set labels and not read them. They are a
// word in the runtime's g, whose offset changes with Go's releases. This package finds it once, by setting labels and
// looking where their address appears. If it is not found, which has happened with no known release, [Current] returns
// none: tasks then start without labels, and [Clear] still works.
package labels
