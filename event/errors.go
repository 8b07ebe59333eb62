package event

import (
	"errors"
	"net"
	"os"

	"ringo/internal/posix"
	"ringo/sock"
)

var (
	// ErrFull is returned by a write if too many bytes are unsent: see Conn.SetMarks and Loop.SetUnsentMax. The write
	// has taken nothing.
	ErrFull = errors.New("event: too many unsent bytes: the peer does not take them")
	// ErrUnread ends a connection whose handler has left too many bytes unused: see Conn.SetUnreadMax. It is the same
	// value as sock.ErrUnread.
	ErrUnread = sock.ErrUnread
	// ErrLeases is returned by Conn.Keep at the bound of ringo.Config.Leases. It is the same value as sock.ErrLeases.
	ErrLeases = sock.ErrLeases
	// ErrNoReturn ends a connection if one of its callbacks panicked or called runtime.Goexit. It is the same value as
	// sock.ErrNoReturn.
	ErrNoReturn = sock.ErrNoReturn
	// ErrStopped ends connections that are open when their loop is stopped or ends, and is the error of calls that
	// start something then: see Loop.Stop.
	ErrStopped error = stoppedError{}

	// ErrDetached is passed to OnClose after Conn.Detach has turned the connection into one of package sock.
	ErrDetached = errors.New("event: the connection was detached")

	errTaking    = errors.New("event: there is a ReadFull already")
	errRecords   = errors.New("event: a unixpacket connection carries records, not a stream")
	errUnsent    = errors.New("event: unsent records: a detached connection would join them")
	errOtherLoop = errors.New("event: the connection belongs to another loop")
	errBusy      = errors.New("event: the connection is in OnData, sends a file, or its writing side is closed")
	errNothing   = errors.New("event: Keep outside of OnData, or for the second time")
	errNotOpen   = errors.New("event: the connection is not open yet")
	errDirection = errors.New("event: the writing side is closed")
)

type stoppedError struct{}

func (stoppedError) Error() string { return "event: the loop was stopped" }

// Is makes ErrStopped match net.ErrClosed.
func (stoppedError) Is(target error) bool { return target == net.ErrClosed }

// callError returns the error of a system call.
func callError(call string, res int32) error { return os.NewSyscallError(call, posix.Error(res)) }
