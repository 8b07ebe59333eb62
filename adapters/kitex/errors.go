package ringokitex

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/cloudwego/netpoll"
)

// A failure is an error of a connection as kitex's transport handlers look for it: one of netpoll's, of the same
// meaning, beside that of package sock.
type failure struct {
	as    error // netpoll's
	cause error
}

func (f *failure) Error() string   { return f.cause.Error() }
func (f *failure) Unwrap() []error { return []error{f.as, f.cause} }

// Timeout and Temporary make it a net.Error, as which kitex looks for timeouts.
func (f *failure) Timeout() bool   { return errors.Is(f.cause, os.ErrDeadlineExceeded) }
func (f *failure) Temporary() bool { return f.Timeout() }

// failed gives an error of a call on a connection its meaning to kitex; timeout is what it is if a deadline was over.
func failed(err error, timeout syscall.Errno) error {
	var as syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		as = timeout
	case errors.Is(err, io.EOF):
		as = netpoll.ErrEOF
	default: // a reset, a close at either side, the end of the loop
		as = netpoll.ErrConnClosed
	}
	return &failure{netpoll.Exception(as, ""), err}
}

// unsupported is an error for what can't be done here, and why.
func unsupported(what, why string) error {
	return fmt.Errorf("ringokitex: %s: %s: %w", what, why, errors.ErrUnsupported)
}
