// Package kernel is the second of the two doors to the kernel: all that is no op.
//
// What waits for a peer, and what has an entry in io_uring, is an op and goes through the
// loop's driver (internal/driver). All else that a handle, a name, a socket or a file asks
// of the kernel is a method of Kernel: one a system call, with that call's name and
// arguments of their real types. Those on sockets and descriptors return at once. Those on
// files and names may wait for a disk, so that in a task a worker makes them, by an op Call.
// A loop carries its own kernel (loop.Loop.Kernel); Process is that of callers who have no
// loop, and is Host. Nothing above the drivers reaches the kernel by another way,
// which internal/test/lint enforces: so a program can run on a kernel that is played by a
// test, or on a system that has no Linux kernel, and sock and file need not know.
//
// # Results
//
// They are those of a completion: a value, or a negated errno. Every method may be
// called from any goroutine, and keeps nothing that it was passed.
//
// # Descriptors
//
// A descriptor is a number that means something to its kernel only: to the Kernel that
// made it, and to the driver that was opened with it. Nobody above compares it with
// others, derives anything from it, or passes it to another kernel. A *os.File, and what
// package net makes, has a descriptor of Host.
//
// # Signals
//
// EINTR never leaves this door. There are three classes of calls:
//
//   - Those that change or tell something are made again, like shutdown(2): a call that
//     was interrupted has done nothing. Most never are; a tracer or a seccomp supervisor
//     can have any of them say so.
//   - Close is made once. Linux has freed the number when it says EINTR, and a second
//     call would close somebody else's.
//   - Connect is for sockets whose connect takes no time, and is made again: to set the
//     same peer twice is to set it. A connect that waits is an op.
package kernel
