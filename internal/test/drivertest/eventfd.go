package drivertest

import (
	"net/netip"

	"ringo/internal/sys"
)

// eventfd makes an eventfd, or where the system has none a datagram socket that sends to itself.
func (system) eventfd() int32 {
	if fd := sys.Eventfd(); fd != -sys.ENOSYS {
		return fd
	}
	fd := sys.Socket(sys.AFInet, sys.SockDgram|sys.SockNonblock, 0)
	var own sys.Sockaddr
	own.Set(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	for _, res := range [...]int32{fd, sys.Bind(fd, &own), sys.Getsockname(fd, &own), sys.Connect(fd, &own)} {
		if res < 0 {
			return res
		}
	}
	return fd
}
