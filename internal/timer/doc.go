// Package timer keeps the deadlines of one loop in order.
//
// A [Heap] is a 4-ary min-heap of [Timer] values that one thread owns: nothing here locks, waits, allocates per timer
// or reads a clock. A Timer is embedded in the object that waits (a sleeping task, a handle's direction), and has at
// most one entry in the heap.
//
// # Lazy by design
//
// A server that moves a deadline with each request nearly always moves it later, or clears it and sets it again. Here
// both are a store into the Timer: its entry stays where it is, under the instant that it was filed for, which is now
// too early. Such an entry is stale. [Heap.Pop] looks at it only once it is at the top and its filed instant has
// passed. Then Pop files it again under the Timer's present instant or, if the Timer was disarmed, drops it.
//
//	           Arm                    Pop: due, fires
//	idle ─────────────────▶ armed ────────────────────────▶ idle
//	  ▲                      │  ▲ Arm later: a store, the entry is stale
//	  │               Disarm │  │ Arm earlier than the entry: it moves up
//	  │                      ▼  │ Arm
//	  └───── Pop, Remove ── disarmed, entry still filed
//
// The cost is bounded: one entry per Timer, one useless wake per stale entry, and the memory of a disarmed Timer until
// its filed instant. Before the program drops an object with a Timer, it takes the entry out at once, with
// [Heap.Remove].
package timer
