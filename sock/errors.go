package sock

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"syscall"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// ErrNoReturn is what Handler.Closed gets if Open or Request panicked or called
// runtime.Goexit.
var ErrNoReturn = errors.New("sock: Open or Request did not return")

// callNames are the system calls that errors name, as in package net.
var callNames = map[string]string{
	"read": "read", "write": "write", "close": "close", "accept": "accept4", "set": "setsockopt", "dial": "connect",
}

// errEnded is for handles that have outlived their loop, which closed them.
var errEnded = fmt.Errorf("%w: %w", net.ErrClosed, ringo.ErrEnded)

// stranger is why somebody who is no task of the loop may not call.
func stranger(l *loop.Loop) error {
	if l.Ended() {
		return errEnded
	}
	return ringo.ErrNotTask
}

// fail wraps an error of a connection as package net does.
func (c *Conn) fail(name string, err error) error {
	e := &net.OpError{Op: name, Net: "tcp", Err: err}
	e.Source, e.Addr = addrOrNil(c.LocalAddr().(*net.TCPAddr)), addrOrNil(c.RemoteAddr().(*net.TCPAddr))
	return e
}

func addrOrNil(a *net.TCPAddr) net.Addr {
	if a.IP == nil {
		return nil
	}
	return a
}

// failRes is fail for a negative result.
func (c *Conn) failRes(name string, res int32) error {
	if res == -sys.ECANCELED {
		return c.fail(name, c.l.Cause())
	}
	return c.fail(name, callError(callNames[name], res))
}

// socketError is why a loop could not make a socket. Where the driver can't have
// all descriptors, that may be what it ran out of, and the error says so.
func socketError(l *loop.Loop, res int32) error {
	if err := l.Unwatchable(math.MaxInt32); err != nil && res == -sys.EMFILE {
		return os.NewSyscallError("socket", err)
	}
	return noSocket(res)
}

// noSocket is why the system gave no socket, with what to change.
func noSocket(res int32) error {
	err := callError("socket", res)
	switch -res {
	case sys.EMFILE:
		return fmt.Errorf("%w: raise RLIMIT_NOFILE (ulimit -n)", err)
	case sys.ENFILE:
		return fmt.Errorf("%w: raise fs.file-max", err)
	}
	return err
}

// callError names the call that gave the errno.
func callError(call string, res int32) error {
	return os.NewSyscallError(call, syscall.Errno(-res))
}
