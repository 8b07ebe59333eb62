// Package op is the table of ops: for each, how it becomes a submission, which readiness it waits for, and how it runs
// as a plain system call.
//
// The kernel keeps such a table for io_uring, one row an opcode. With the same table in user space two drivers suffice
// in place of five back ends. One hands the submission to the kernel. The other tries the plain call, waits for
// readiness if that would block, and tries again. The kernel's behaviour is the specification for both.
//
// An Op is one operation. It lives in a slot of its loop's Slab, with all the memory that the kernel may touch before
// the last completion. The kernel carries the slot's index and generation as the op's token, never a pointer.
package op
