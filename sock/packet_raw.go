package sock

import (
	"fmt"
	"os"
	"syscall"

	"ringo/internal/handle"
)

// SyscallConn gives access to the descriptor, for system calls that there is no method for, as described at
// Conn.SyscallConn. QUIC libraries use it to send and receive. Read's function can't see datagrams that were already
// fetched: if some are unread, Read fails with ErrUnread. From this call on none are fetched ahead, so the two ways to
// read can be mixed. Any goroutine may call it.
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.packet.SyscallConn() }

// SyscallConn gives access to the descriptor, for system calls that there is no method for, as described at
// Conn.SyscallConn. Read's function can't see datagrams that were already fetched: if some are unread, Read fails with
// ErrUnread. From this call on none are fetched ahead, so the two ways to read can be mixed. Any goroutine may call it.
func (c *UnixPacketConn) SyscallConn() (syscall.RawConn, error) { return c.packet.SyscallConn() }

// SyscallConn is like UnixPacketConn.SyscallConn.
func (c *packet) SyscallConn() (syscall.RawConn, error) {
	if c.l == nil {
		return nil, errZero
	}
	c.in.single.Store(true)
	return &handle.RawConn{Core: &c.core, Fail: c.failed}, nil
}

// File returns a file with another descriptor of the socket, close-on-exec, as package net's File methods do: closing
// one does not affect the other, they share options, and each gets the datagrams that it reads. Datagrams that were
// already fetched stay with this socket; from now on it fetches none ahead. Closing either does not remove the file of
// a Unix socket's name, unless SetUnlinkOnClose is called after File. Any goroutine may call it.
func (c *packet) File() (*os.File, error) {
	if err := c.l.World().Passage(); err != nil {
		return nil, c.fail("file", err)
	}
	c.in.single.Store(true)
	var n int32
	err := c.core.Control(func(fd uintptr) { n = c.l.Kernel().Dup(int32(fd)) })
	var f *os.File
	if err == nil {
		f, err = fileFor(n, fmt.Sprintf("%s:%v", c.network, c.laddr))
	}
	if err == nil && c.file != nil {
		c.file.own(false)
	}
	return f, c.failed("file", err)
}
