// Package kernel is the second of the two doors to the kernel: for everything that is not an op.
//
// What waits for a peer, and what has an entry in io_uring, is an op and goes through the loop's driver
// (internal/driver). Everything else that a handle, a name, a socket or a file asks of the kernel is a method of
// Kernel: one for each system call, with its name and with arguments of their real types. Methods on sockets and
// descriptors return at once. Those on files and names may wait for a disk, so for a task a worker calls them, by an
// op Call. A loop has its kernel (loop.Loop.Kernel); Process returns the one for callers without a loop, which is
// Host. Packages above the drivers reach the kernel in no other way, which internal/test/lint enforces: so a program
// can run on a kernel that a test plays, or on a system other than Linux, and sock and file need not know.
//
// # Results
//
// Results are those of a completion: a value, or a negated errno. Any goroutine may call any method. No method keeps
// what it was passed.
//
// # Descriptors
//
// A descriptor is a number that has a meaning for one kernel only: for the Kernel that made it, and for the driver
// that was opened with that. Packages above don't compare it with others, derive anything from it, or pass it to
// another kernel. An *os.File, and what package net makes, has a descriptor of Host.
//
// # Signals
//
// EINTR is never a result here. There are three classes of calls:
//
//   - Calls that change or report something are repeated, like shutdown(2): a call that was interrupted has done
//     nothing. Most never are interrupted, but a tracer or a seccomp supervisor can make any of them return EINTR.
//   - Close is made once. Linux has freed the number when it returns EINTR, and a second call would close whatever has
//     got that number since.
//   - Connect is for sockets whose connect does not wait, and is repeated: setting the same peer twice does no harm.
//     A connect that waits is an op.
package kernel
