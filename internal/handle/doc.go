// Package handle is what all handles on a descriptor have in common, whatever they are for: who may
// read or write now, by when, and how long the descriptor lives.
//
// # Callers
//
// A handle belongs to a loop, and everybody may use it. There are four kinds of callers: a task
// of the loop, and an iterator that such a task runs, which are the same here; a task of another loop, and a
// goroutine, which are the foreign callers. Core.Enter finds out which one calls, once, and waits for access
// to a direction; the Access that it returns keeps to that. So nothing is begun as one kind of
// caller and begun again as another.
//
// A task tries, then parks in its loop (Wait, Await). A foreign caller tries, then waits in Go's netpoller if it is a
// goroutine, or has a goroutine of Offload do so in its place if it is a task of another loop (Access.Do).
// Where the netpoller can't have the descriptor, a loop polls for the caller, whoever it is: see poll.
//
// A handle that belongs to no loop is unowned: all its callers are foreign, and a task of any loop waits by a
// poll of its own. That is what a File is that is none on a disk.
//
// # Access
//
// One caller at a time has a direction, in order of arrival: readers, and apart from them writers. Tasks
// of the loop queue without a lock; foreign callers queue under one. A direction is handed over from the
// ones to the others and back: what is armed on it is quiesced, what was received is released to those who
// take it, and acquired back later.
//
// # Deadlines
//
// A deadline is a number that anybody may move at any time. It is loaded once for a decision, and the decision is
// acted on.
//
// # Lifetime
//
// See Core. A handle that was made for a foreign caller and that no task of its loop has touched is
// detached: see Registry.
package handle
