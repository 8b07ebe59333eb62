// Package simdriver is the driver for a kernel in memory, whose clock only a world moves.
//
// It tries an op as a call of its host, which does not wait. An op that would have to wait is in a list of its
// descriptor until the host reports that another try is worth it. An op that waits for a disk takes the time that the
// host's disk requires, and is made at the end of that time. A Wait that has nothing to report gives the world its
// turn by Turns.
//
// Except for Wake nothing here is concurrent: only one goroutine at a time uses the loops of a world, their drivers
// and their kernels.
package simdriver
