// Package labels reads and sets the labels that profiles show of the running goroutine, those of
// runtime/pprof's Do and SetGoroutineLabels.
//
// A goroutine inherits the labels of the one that starts it. A task runs in a coroutine that was made
// earlier and by another, so a loop has to hand them on, and runtime/pprof has a call to set them and
// none to read them. They are a word in the runtime's g, whose place changes with Go's releases. It is
// looked for once, by setting labels and looking where their address appears. Where it is not
// found, which no known release is an example of, [Current] gives none: tasks then start without
// labels, and [Clear] still works.
package labels
