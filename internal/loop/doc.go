// Package loop is the engine: one locked thread with one driver, the tasks that
// run on it, their timers, and the mailbox by which the rest of the program
// reaches it. Package ringo is its public face; sock and file park tasks here.
//
// A turn of a loop:
//
//	      ┌──────────────────────────────────────────────────────────┐
//	      ▼                                                          │
//	completions ─▶ mailbox ─▶ timers due ─▶ ready tasks (budget) ─▶ Wait
//	                │             │              ▲
//	                └─────────────┴── make ready ┘
//
// A task is a coroutine on the loop's own thread. It gives the thread back by
// parking, and is resumed by a switch, not by the scheduler. Coroutines are
// pooled: a worker runs one fresh task after the other, without a switch in
// between, until one of them parks and keeps the worker.
package loop
