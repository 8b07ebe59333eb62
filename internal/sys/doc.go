// Package sys makes system calls that answer as an io_uring completion does: an
// int32 that is the value, or the negated errno.
//
// Calls that never wait are made without telling the Go scheduler (RawSyscall),
// calls that may wait go through it, and are made again here when a signal has
// interrupted them. Of the others that is up to the two doors, internal/kernel and the
// drivers. Nothing here allocates. On systems other than Linux the package holds only
// what is portable.
package sys
