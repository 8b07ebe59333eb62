// Package bufs holds the buffers that the kernel fills before any caller asks for the bytes, and the leases by which
// users hold a buffer for a while.
//
// A loop has pools of two kinds. One is lent to the kernel as a provided-buffer ring: an idle connection holds no
// buffer, and bytes that arrive are already in memory when a task wants them. The other is plain memory, for drivers
// without such a ring and for times when the ring is used up. A Lease is the same for both; programs use it through
// package buf.
//
// The kernel has few buffers at a time, and the buffers that were returned last are used first, because memory that is
// still in the processor's cache is cheaper.
package bufs
