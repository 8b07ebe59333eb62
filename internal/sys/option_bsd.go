//go:build dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"golang.org/x/sys/unix"

	"ringo/internal/posix"
)

const soLinger = unix.SO_LINGER

// PeerCred is not supported on this system.
func PeerCred(fd int32) (cred Ucred, res int32) { return Ucred{}, posix.Lack(EOPNOTSUPP) }

var messages = []message{
	{level: protoIPv6, typ: 50, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_PKTINFO},
	{level: protoIPv6, typ: 52, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_HOPLIMIT},
	{level: protoIPv6, typ: 67, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_TCLASS},
}
