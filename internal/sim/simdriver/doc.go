// Package simdriver is the driver of a kernel in memory, on a clock that only a world moves.
//
// It tries an op as a call of its host, which waits for nothing. What would have to wait is in a list of its
// descriptor until the host tells that another try is worth it. What waits for a disk takes the time that the host's
// disk says, and is made at the end of it. A Wait that has nothing to report gives the world its turn by Config.Sleep.
//
// Nothing here is concurrent, but Wake: all loops of a world, their drivers and their kernels are for one goroutine at
// a time.
package simdriver
