// Package differ runs programs that use the whole public API on several machines, which must show the same results.
//
// A Program is a few bytes, made by a seed or a fuzzer. Any bytes are a program: MakePlan reads them as records, each
// of which is a wish, and turns each wish into calls that are possible at that point: "an actor writes to some
// connection" becomes 300 bytes of actor 2 to c5. The result is a Plan: actors, each a caller of one of the five kinds,
// and the calls of each actor.
//
// # Why the results are determined
//
// Actors run concurrently, and still a plan has only one result. MakePlan generates the calls in an order in which each
// call can end once those before it have ended. A stream has one writer and one reader at a time, so their interleaving
// does not matter: reads wait for the bytes that are to come. Where order does matter, such as for a Close after a Read
// or a file name that two actors use, MakePlan establishes it. It keeps a vector clock for each actor, and where an
// actor would touch what another one has used without a known order between them, it adds a meeting, by one of the
// locks and channels under test.
//
// What ends a wait (a deadline, a cancel, a Close) is not ordered with the wait: it comes before the call or during it,
// and the result is the same, because nothing else could end the wait. Where the kernel leaves two results open, both
// have the same name ("EOF or reset").
//
// # Callbacks
//
// An actor of callbacks is a coroutine that continues inside the callback that it waits for. Its connections and
// listeners are those of package event. They belong to the callbacks of one loop, and MakePlan lets no other actor use
// them until a task has detached them. Anything else, such as a lock or a file, a task does for the actor. Behaviour
// that package event rules out, such as a callback after OnClose, is an error of the machine itself.
//
// # Machines
//
// A Machine is what a plan runs on. Net is packages net and os with goroutines. Ringo is this module with one of its
// drivers, in a Run of its own. Sim is this module in a simulated world for each plan, where callers are tasks,
// iterators and callbacks only; MakePlan takes a list of the kinds that are allowed. RunOn is all that is needed to run
// a plan on existing loops. Exceptions lists what may differ between machines, with reasons.
//
// A program that fails is shrunk, and printed both as text that reads like Go and as a file for testdata/fuzz; once the
// file is there, go test runs it every time.
package differ
