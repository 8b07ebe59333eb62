// Package gmark tells whether the running goroutine is the one that a loop has marked as its current task.
//
// Beside the mark there is the Thread, which also identifies a caller in an iterator that the task runs, and by which
// a call without a loop finds the loop that it runs on.
//
// The check lets one handle serve two kinds of callers: tasks of the handle's own loop, and all others. It is one
// comparison of the running g with a word, about a nanosecond.
//
// The word has one writer, the loop's thread, and any number of readers. The writer uses a plain store, and the
// readers load it in assembly, which the race detector does not see and the hardware makes atomic. That is sound
// because the answer matters only to a reader whose own g is in the word. The word holds a g only while that g is a
// coroutine of the loop, and the coroutine clears it before it ends, so whatever the runtime does with the g later
// happens after that. For any other reader every value, however stale, means "no".
package gmark
