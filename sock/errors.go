package sock

import (
	"bufio"
	"fmt"
	"io"
	"net"

	"ringo"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// ErrNoReturn is passed to Handler.Closed if Open or Request panicked or called runtime.Goexit. event.ErrNoReturn is
// the same value.
var ErrNoReturn = handle.ErrNoReturn

// ErrLeases is returned by Conn.Next while the program holds ringo.Config.Leases buffers of the connection: release one
// first.
var ErrLeases = handle.ErrLeases

// ErrUnread is returned by File and RawConn.Read if the connection has received bytes that have not been read, and that
// these calls would skip. Read them first; Buffered returns their number. event.ErrUnread is the same value.
var ErrUnread = handle.ErrUnread

// callName returns the system call that the error of a method names, as in package net.
func callName(method string) string {
	switch method {
	case "set":
		return "setsockopt"
	case "get":
		return "getsockopt"
	case "close":
		return "shutdown"
	}
	return method
}

// errEnded is the error of handles whose loop has ended, and has closed them.
var errEnded = handle.ErrEnded

// stranger returns the error for a caller that is not a task of l.
func stranger(l *loop.Loop) error {
	switch {
	case l == nil:
		return errNoLoop
	case l.Ended():
		return errEnded
	}
	return ringo.ErrNotTask
}

// fail wraps an error of a connection as package net does.
func (c *Conn) fail(name string, err error) error {
	if c.l == nil {
		return errZero
	}
	e := &net.OpError{Op: name, Net: c.network(), Source: addrOrNil(c.LocalAddr()), Addr: addrOrNil(c.RemoteAddr()),
		Err: err}
	if name == "raw-control" {
		return ofSocket(e)
	}
	return e
}

// ofSocket makes an error one that is about the socket and not its peer: it names one address, as in package net.
func ofSocket(err error) error {
	if e, ok := err.(*net.OpError); ok && e.Source != nil {
		e.Source, e.Addr = nil, e.Source
	}
	return err
}

// failed is fail for the result of a call: nil, io.EOF and the like, and errors that are wrapped already, stay as they
// are.
func (c *Conn) failed(name string, err error) error {
	switch err {
	case nil, io.EOF, io.ErrUnexpectedEOF, bufio.ErrBufferFull:
		return err
	}
	if _, ok := err.(*net.OpError); ok {
		return err
	}
	return c.fail(name, err)
}

// errZero is the error of the methods of a zero handle, as in package net.
var errZero = handle.ErrZero

// addrOrNil is nil for an address that isn't known.
func addrOrNil(a net.Addr) net.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		if a.IP == nil {
			return nil
		}
	case *net.UnixAddr:
		if a.Name == "" {
			return nil
		}
	}
	return a
}

// readFailed is fail for the negative result of a read.
func (c *Conn) readFailed(res int32) error {
	if res == -sys.ECANCELED {
		return c.fail("read", c.l.Cause())
	}
	return c.fail("read", callError("read", res))
}

// noSocket returns the error for a socket that the system did not make, with what to change.
func noSocket(res int32) error {
	err := callError("socket", res)
	if remedy := loop.Remedy(res); remedy != "" {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// callError returns an error that names the call with the errno.
func callError(call string, res int32) error { return handle.CallError(call, res) }
