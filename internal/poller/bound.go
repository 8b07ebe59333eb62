package poller

import (
	"fmt"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// ErrBound explains why a poller refuses a descriptor that is not below its Bound, and what to do. It matches EMFILE
// (errors.Is), which is the errno in results.
var ErrBound error = boundError{}

type boundError struct{}

func (boundError) Error() string {
	return fmt.Sprintf("select watches descriptors below %d (FD_SETSIZE) only: use driver poll, epoll or uring, or a "+
		"lower RLIMIT_NOFILE", sys.FDSetSize)
}

func (boundError) Unwrap() error { return posix.EMFILE }
