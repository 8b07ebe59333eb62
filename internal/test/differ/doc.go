// Package differ runs programs over the whole public API on several machines, which must show the same.
//
// A Program is a few bytes, which a seed or a fuzzer makes. Any bytes are a program: MakePlan reads them as records,
// each a wish, and makes of it what is possible there: "somebody writes to some connection" becomes 300 bytes of actor
// 2 to c5. The result is a Plan: actors, each a caller of one of the five kinds, and the calls of each.
//
// # Why the results are determined
//
// Actors run side by side, and still a plan has one result. MakePlan makes the calls in one order in which each can end
// when those before it have. A stream has one writer and one reader at a time, so it does not matter how the two are
// interleaved: reads wait for what is to come. All that does matter, such as a Close behind a Read, or a name that two
// actors use, is put in order: MakePlan keeps a clock of each actor, and where one would touch what another has used
// without knowing of it, it adds a meeting, by one of the locks and channels that are under test.
//
// What ends a wait, a deadline, a cancel, a Close, is in no order with the wait: it comes before the call or while that
// waits, and the result is the same, since nothing else could end it. Where the kernel leaves two results open both
// have one name ("EOF or reset").
//
// # Callbacks
//
// An actor of callbacks is a coroutine that goes on in the callback that it waits for. Its connections and listeners
// are those of package event. They belong to the callbacks of one loop, and MakePlan has no others use them until a
// task has detached them. What the actor wants of anything else, a lock or a file, a task does for it. What callbacks
// must not do, such as to be called behind OnClose, is an error of the machine's own.
//
// # Machines
//
// A Machine is what a plan runs on: Net is package net and os with goroutines; Ringo is this module with one of its
// drivers, in a Run of its own; Sim is this module in a simulated world for each plan, whose callers are
// tasks, iterators and callbacks: MakePlan has a list of those that are allowed. RunOn is all that it takes to run a
// plan on loops that there are.
// What may differ between machines is in Exceptions, with reasons.
//
// A program that fails is shrunk, and printed as text that reads like Go and as a file for testdata/fuzz, where go test
// runs it ever after.
package differ
