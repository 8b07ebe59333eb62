package sock

import (
	"fmt"
	"os"
	"syscall"

	"ringo/internal/handle"
)

// SyscallConn passes the descriptor to functions of the caller's, for system calls
// that there is no method for: what Conn.SyscallConn says holds here, too. Libraries
// for QUIC send and receive by it. Datagrams that were fetched already are out of the
// reach of Read's function: with some unread it fails with ErrUnread. From this call on
// nothing is fetched that was not asked for, so that the two ways to read can be mixed.
// Any goroutine may call it.
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.packet.SyscallConn() }

// SyscallConn passes the descriptor to functions of the caller's, for system calls
// that there is no method for: what Conn.SyscallConn says holds here, too. Datagrams
// that were fetched already are out of the reach of Read's function: with some unread it
// fails with ErrUnread. From this call on nothing is fetched that was not asked for, so
// that the two ways to read can be mixed. Any goroutine may call it.
func (c *UnixPacketConn) SyscallConn() (syscall.RawConn, error) { return c.packet.SyscallConn() }

// SyscallConn is that of both kinds.
func (c *packet) SyscallConn() (syscall.RawConn, error) {
	if c.l == nil {
		return nil, errZero
	}
	c.in.single.Store(true)
	return &handle.RawConn{Core: &c.core, Fail: c.failed}, nil
}

// File returns a file of another descriptor of the socket, close-on-exec, as the File method of
// package net does: closing one does not affect the other, what is set on the socket holds for
// both, and each gets the datagrams that it reads. Those that were fetched already stay this
// socket's; from this call on nothing is fetched that was not asked for. The file of a Unix socket's name
// stays when either is closed, unless SetUnlinkOnClose says otherwise after this. Any goroutine may call it.
func (c *packet) File() (*os.File, error) {
	if err := noWayOut(c.l); err != nil {
		return nil, c.fail("file", err)
	}
	c.in.single.Store(true)
	var n int32
	err := c.core.Control(func(fd uintptr) { n = c.l.Kernel().Dup(int32(fd)) })
	if err == nil && n < 0 {
		err = callError("fcntl", n)
	}
	if err != nil {
		return nil, c.fail("file", err)
	}
	if c.file != nil {
		c.file.own(false)
	}
	return os.NewFile(uintptr(n), fmt.Sprintf("%s:%v", c.network, c.laddr)), nil
}
