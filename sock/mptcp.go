package sock

import (
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// Numbers of the Linux ABI, see linux/mptcp.h.
const (
	solMPTCP      = 284
	mptcpInfo     = 1
	mptcpInfoSize = 128
)

// newTCPSocket makes a TCP socket, or a Multipath TCP socket if that is wanted and the kernel supports it.
func newTCPSocket(k kernel.Kernel, family int, multipath bool) (socket, error) {
	if multipath {
		if s, err := newSocketOf(k, family, sys.SockStream, protoMPTCP); err == nil {
			return s, nil
		}
	}
	return newSocket(k, family, sys.SockStream)
}

// MultipathTCP reports whether the connection uses Multipath TCP, which both peers have to support: see
// Dialer.MultipathTCP and ListenConfig.MultipathTCP. Before Linux 5.16, where the kernel does not tell, it returns
// false. Any goroutine may call it; it does not park.
func (c *Conn) MultipathTCP() (bool, error) {
	if c.unix != nil {
		return false, c.refuse("get", callError("getsockopt", -sys.EOPNOTSUPP))
	}
	uses := false
	_, err := c.plain("get", func(k kernel.Kernel, fd int32) int32 {
		protocol, res := k.Getsockopt(fd, solSocket, sys.SoProtocol)
		uses = res >= 0 && protocol == protoMPTCP &&
			k.GetsockoptBytes(fd, solMPTCP, mptcpInfo, make([]byte, mptcpInfoSize)) >= 0
		return 0
	})
	return uses, err
}
