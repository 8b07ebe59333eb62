// Package stacks reads stacks: those of all goroutines, which the runtime writes while the program is stopped, and the
// addresses that package peek finds on a single one. It knows which functions belong to the engine, so it can tell
// which task a stack belongs to, and what that task is doing.
package stacks
