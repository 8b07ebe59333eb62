//go:build netbsd

package sys

import "golang.org/x/sys/unix"

var nativeOptions = map[option]native{
	{ProtoTCP, 4}: {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE},
	{ProtoTCP, 5}: {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL},
	{ProtoTCP, 6}: {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT},
}

// takesIndex says whether an interface for multicast can be given by its index, in a struct ip_mreqn.
const takesIndex = false
