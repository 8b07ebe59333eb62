// Package op is the table of operations: for each, how it becomes a submission,
// which readiness it waits for, and how it runs as a plain system call.
//
// The kernel keeps such a table for io_uring, one row an opcode. With the same
// table in user space there are not five back ends but two drivers: one hands
// the first face to the kernel, the other tries the third, waits for the second
// and tries again. The kernel's behaviour is the specification for both.
//
// An Op is one operation. It lives in a slot of its loop's Slab, with all the
// memory that the kernel may touch before its last completion. What the kernel
// gets to carry is the slot's index and generation, never a pointer.
package op
