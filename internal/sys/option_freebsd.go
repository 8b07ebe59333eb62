//go:build freebsd

package sys

import "golang.org/x/sys/unix"

var nativeOptions = map[option]native{
	// It spreads connections over the sockets, as on Linux.
	{SolSocket, 15}:         {level: unix.SOL_SOCKET, name: unix.SO_REUSEPORT_LB, flag: true},
	{SolSocket, SoDomain}:   {level: unix.SOL_SOCKET, name: unix.SO_DOMAIN},
	{SolSocket, SoProtocol}: {level: unix.SOL_SOCKET, name: unix.SO_PROTOCOL},
	{ProtoTCP, 4}:           {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE},
	{ProtoTCP, 5}:           {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL},
	{ProtoTCP, 6}:           {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT},
}

// takesIndex says whether an interface for multicast can be given by its index, in a struct ip_mreqn.
const takesIndex = true
