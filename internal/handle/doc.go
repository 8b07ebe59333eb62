// Package handle is what all handles on a descriptor have in common, whatever they are for: which callers may read or
// write now, until when, and how long the descriptor lives.
//
// # Callers
//
// A handle belongs to a loop, and any goroutine may use it. There are four kinds of callers. A task of the loop, and
// an iterator that such a task runs, count as one kind here. A task of another loop, and a goroutine, are the foreign
// callers. Core.Enter finds out once which kind calls, and waits for access to a direction. The Access that it returns
// keeps to the answer, so no call begins as one kind of caller and goes on as another.
//
// A task tries the call, and if it would wait parks in its loop (Wait, Await). A foreign caller also tries first. Then
// a goroutine waits in Go's netpoller; for a task of another loop a goroutine of Offload does (Access.Do). Where the
// netpoller can't have the descriptor, a loop polls for the caller, of either kind: see poll.
//
// A handle that belongs to no loop is unowned: all its callers are foreign, and a task of any loop waits by a poll of
// its own loop. A File that is not on a disk is such a handle.
//
// # Access
//
// One caller at a time has a direction, in order of arrival: one reader, and one writer beside it. Tasks of the loop
// queue without a lock; foreign callers queue under one. A direction goes from the loop to the foreign callers and
// back: on the way there its armed op is quiesced, and the received bytes are released to them; on the way back the
// loop acquires those that are left.
//
// # Deadlines
//
// A deadline is a number that any goroutine may change at any time. Each decision loads it once, and keeps to what it
// loaded.
//
// # Lifetime
//
// See Core. A handle that was made for a foreign caller and that no task of its loop has touched is detached: see
// Registry.
package handle
