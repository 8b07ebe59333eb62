// Package blockers lists the calls that stop the thread of their caller, and what a task uses instead.
package blockers
