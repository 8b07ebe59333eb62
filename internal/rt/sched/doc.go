// Package sched deals with Go's scheduler for loops: the thread that a loop never leaves, the processors (P) that
// goroutines need while loops sleep in the kernel, the runtime's monitor, which takes a busy loop for a goroutine that
// hogs its P, and the network poller, which must exist before descriptors run out.
package sched
