package event

import (
	"errors"
	"fmt"
	"net"
	"os"

	"ringo/internal/posix"
	"ringo/sock"
)

var (
	// ErrFull is the error of a write that finds as many bytes waiting for room as there may be: see Conn.SetMarks and
	// Loop.SetUnsentMax. Nothing of it was taken.
	ErrFull = errors.New("event: too much was written that the peer has not taken")
	// ErrUnread is why a connection ends whose handler has left more bytes unused than there may be. It is
	// sock.ErrUnread, too.
	ErrUnread = sock.ErrUnread
	// ErrLeases is the error of Conn.Keep at the bound of ringo.Config.Leases. It is sock.ErrLeases, too.
	ErrLeases = sock.ErrLeases
	// ErrNoReturn is why a connection ends of which a callback panicked or called runtime.Goexit. It is
	// sock.ErrNoReturn, too.
	ErrNoReturn = sock.ErrNoReturn
	// ErrStopped is why a connection ends that is open when its loop is stopped, or ends, and why something is refused
	// that is begun then: see Loop.Stop.
	ErrStopped error = stoppedError{}

	// ErrDetached is what OnClose is told when Conn.Detach has made a connection of package sock of this one.
	ErrDetached = errors.New("event: the connection was detached")

	errTaking      = errors.New("event: there is a ReadFull already")
	errRecords     = errors.New("event: a connection of unixpacket carries records, and no stream")
	errUnsent      = errors.New("event: records wait for room, which a detached connection would make one of")
	errOtherLoop   = errors.New("event: the connection belongs to another loop")
	errBusy        = errors.New("event: the connection is in OnData, sends a file, or its writing side is closed")
	errUnsupported = fmt.Errorf("event: in a simulated world: %w", errors.ErrUnsupported)
	errNothing     = errors.New("event: Keep where nothing is being shown, or for the second time")
	errNotOpen     = errors.New("event: the connection is not open yet")
	errDirection   = errors.New("event: the writing side is closed")
)

type stoppedError struct{}

func (stoppedError) Error() string { return "event: the loop was stopped" }

// Is has those who look for a closed connection find it.
func (stoppedError) Is(target error) bool { return target == net.ErrClosed }

// callError is the error of a system call.
func callError(call string, res int32) error { return os.NewSyscallError(call, posix.Error(res)) }
