package gnet

import "syscall"

// The bounds, for tests.
const PauseAt, UnsentMax, UnreadMax = pauseAt, unsentMax, unreadMax

// Raw gives a connection's descriptor, on its loop's thread.
func Raw(c Conn) (syscall.RawConn, error) { return c.(*conn).ev.SyscallConn() }
