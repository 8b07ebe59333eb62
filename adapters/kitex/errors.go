package ringokitex

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/cloudwego/netpoll"
)

// A failure is an error of a connection that matches both the error of package sock and netpoll's error of the same
// meaning, which kitex's transport handlers look for.
type failure struct {
	as    error // netpoll's
	cause error
}

func (f *failure) Error() string   { return f.cause.Error() }
func (f *failure) Unwrap() []error { return []error{f.as, f.cause} }

// Timeout and Temporary make it a net.Error, by which kitex recognises timeouts.
func (f *failure) Timeout() bool   { return errors.Is(f.cause, os.ErrDeadlineExceeded) }
func (f *failure) Temporary() bool { return f.Timeout() }

// failed wraps an error of a connection for kitex; timeout is netpoll's error for a deadline that has passed.
func failed(err error, timeout syscall.Errno) error {
	var as syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		as = timeout
	case errors.Is(err, io.EOF):
		as = netpoll.ErrEOF
	default: // a reset, a close by either side, the end of the loop
		as = netpoll.ErrConnClosed
	}
	return &failure{netpoll.Exception(as, ""), err}
}

// unsupported returns an error for something that this transport can't do, with the reason.
func unsupported(what, why string) error {
	return fmt.Errorf("ringokitex: %s: %s: %w", what, why, errors.ErrUnsupported)
}
