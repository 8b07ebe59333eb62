//go:build linux && portable

package sys

import "golang.org/x/sys/unix"

var nativeOptions = map[option]native{
	{SolSocket, SoProtocol}: {level: unix.SOL_SOCKET, name: unix.SO_PROTOCOL},
	{ProtoTCP, 3}:           {level: unix.IPPROTO_TCP, name: unix.TCP_CORK},
	{ProtoTCP, 4}:           {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE},
	{ProtoTCP, 5}:           {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL},
	{ProtoTCP, 6}:           {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT},
	{ProtoTCP, 23}:          {level: unix.IPPROTO_TCP, name: unix.TCP_FASTOPEN},
	{protoIP, 8}:            {level: unix.IPPROTO_IP, name: unix.IP_PKTINFO},
	{protoIP, 12}:           {level: unix.IPPROTO_IP, name: unix.IP_RECVTTL},
	{protoIP, 13}:           {level: unix.IPPROTO_IP, name: unix.IP_RECVTOS},
}

var messages = []message{
	{level: protoIP, typ: 8, nativeLevel: unix.IPPROTO_IP, nativeTyp: unix.IP_PKTINFO},
	{level: protoIP, typ: 2, nativeLevel: unix.IPPROTO_IP, nativeTyp: unix.IP_TTL},
	{level: protoIP, typ: 1, nativeLevel: unix.IPPROTO_IP, nativeTyp: unix.IP_TOS},
	{level: protoIPv6, typ: 50, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_PKTINFO},
	{level: protoIPv6, typ: 52, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_HOPLIMIT},
	{level: protoIPv6, typ: 67, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_TCLASS},
}

const soLinger = unix.SO_LINGER

// PeerCred is SO_PEERCRED, as Linux has it.
func PeerCred(fd int32) (cred Ucred, res int32) {
	c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return cred, failed(err)
	}
	return Ucred{PID: c.Pid, UID: c.Uid, GID: c.Gid}, 0
}

// takesIndex says whether an interface for multicast can be given by its index, in a struct ip_mreqn.
const takesIndex = false
