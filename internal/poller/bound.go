package poller

import (
	"fmt"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// ErrBound is why a poller refuses a descriptor that is not below its Bound, and
// what to do. To errors.Is it is EMFILE as well, which is how results tell it.
var ErrBound error = boundError{}

type boundError struct{}

func (boundError) Error() string {
	return fmt.Sprintf("select watches descriptors below %d (FD_SETSIZE) only: use driver poll, epoll or uring, or a "+
		"lower RLIMIT_NOFILE", sys.FDSetSize)
}

func (boundError) Unwrap() error { return posix.EMFILE }
