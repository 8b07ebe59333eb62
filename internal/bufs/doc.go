// Package bufs holds the buffers that the kernel fills before anybody asks for
// them, and the leases by which users hold one for a while.
//
// A loop has two pools. One is lent to the kernel as a provided-buffer ring: an
// idle connection holds no buffer, and bytes that arrive are already in memory
// when a task wants them. The other is plain memory, for drivers that have no
// such ring and for the times when the ring is dry. A Lease is the same thing
// from both; package buf has it for programs.
//
// Few buffers are in the kernel's hands at a time, and those given back last go
// out first, because memory that is still in the processor's cache is cheaper
// than memory that is not.
package bufs
