// Package stacks reads stacks: those of all goroutines, as the runtime writes them when the program is stopped for it,
// and the addresses that package peek finds on one of them. It knows which functions are the engine's, so it tells
// which task a stack is of, and in what that is.
package stacks
