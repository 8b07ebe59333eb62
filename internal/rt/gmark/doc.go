// Package gmark tells whether the running goroutine is the one that a loop has
// marked as its current task.
//
// Beside the mark there is the Thread, which finds the caller also in an iterator that the
// task runs, and by which a call that was given no loop finds the one it is in.
//
// The check is what lets one handle serve two kinds of callers: a task of the
// handle's own loop and everybody else. It is one comparison of the running g
// with a word, about a nanosecond.
//
// The word has one writer, the thread of the loop, and any number of readers.
// The writer stores it with a plain store and the readers load it in assembly,
// which the race detector does not see and the hardware makes atomic. That is
// sound because the answer matters only to a reader whose own g is in the word:
// the word holds a g only while that g is a coroutine of the loop, and it is
// cleared by the coroutine before it ends, so what the runtime later does with
// the g happens after the clearing. Any other reader gets "no" from any value,
// however stale.
package gmark
