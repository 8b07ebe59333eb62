// Package sched is what loops and Go's scheduler have to do with each other: the thread that a loop never leaves, the
// processors (P) that goroutines need while loops sleep in the kernel, the monitor that takes a busy loop for one that
// hogs its P, and the network poller, which must exist before descriptors run out.
package sched
