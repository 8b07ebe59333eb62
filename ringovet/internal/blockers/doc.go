// Package blockers knows which calls stop the thread of their caller, and what a task does instead.
package blockers
