// Package timer keeps the deadlines of one loop in order.
//
// A [Heap] is a 4-ary min-heap of [Timer] values, owned by one thread: nothing
// here locks, waits, allocates per timer or reads a clock. A Timer is embedded
// in whatever waits (a sleeping task, a handle's direction) and is in the heap
// at most once, in one entry.
//
// # Lazy by design
//
// A server that moves a deadline with each request moves it later nearly every
// time, or clears it and sets it again. Both are a store into the Timer here:
// its entry stays where it is, under the instant that it was filed for, which
// is now too early. Such an entry is stale. Only when it reaches the top and
// its filed instant has passed does [Heap.Pop] look at it again, and then either
// files it under the Timer's present instant or, if the Timer was disarmed,
// drops it.
//
//	           Arm                    Pop: due, fires
//	idle ─────────────────▶ armed ────────────────────────▶ idle
//	  ▲                      │  ▲ Arm later: a store, the entry is stale
//	  │               Disarm │  │ Arm earlier than the entry: it moves up
//	  │                      ▼  │ Arm
//	  └───── Pop, Remove ── disarmed, entry still filed
//
// The price is bounded: one entry per Timer, one useless wake per stale entry
// and the memory of a disarmed Timer until its filed instant. An owner that is
// about to be dropped takes its Timer out with [Heap.Remove], which is eager.
package timer
