// Package loop is the engine: one locked thread with one driver, the tasks that run on it, their timers, and the
// mailbox through which other threads reach it. Package ringo is its public face; packages sock and file park tasks
// here.
//
// A turn of a loop:
//
//	      ┌──────────────────────────────────────────────────────────┐
//	      ▼                                                          │
//	completions ─▶ mailbox ─▶ timers due ─▶ ready tasks (budget) ─▶ Wait
//	                │             │              ▲
//	                └─────────────┴── make ready ┘
//
// A task is a coroutine on the loop's own thread. It gives the thread back by parking, and the loop resumes it by a
// coroutine switch, without the Go scheduler. Workers, the coroutines that tasks run in, are pooled: a worker runs one
// new task after the other without a switch in between, until one of them parks and keeps the worker.
package loop
