// Package sys makes system calls that return what an io_uring completion does: an int32 that is the value, or the
// negated errno.
//
// Calls that never wait are made without telling the Go scheduler (RawSyscall). Calls that may wait tell it, and are
// repeated here after EINTR; for the others the two doors, internal/kernel and the drivers, do that. The calls of ops
// don't allocate on Linux. On other systems the package translates their calls to Linux's numbers and meanings; a call
// that the system lacks returns an error.
package sys
