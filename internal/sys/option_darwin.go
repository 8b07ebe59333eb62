//go:build darwin

package sys

import "golang.org/x/sys/unix"

var nativeOptions = map[option]native{
	{ProtoTCP, 3}:  {level: unix.IPPROTO_TCP, name: unix.TCP_NOPUSH, flag: true},
	{ProtoTCP, 4}:  {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPALIVE},
	{ProtoTCP, 5}:  {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL},
	{ProtoTCP, 6}:  {level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT},
	{ProtoTCP, 23}: {level: unix.IPPROTO_TCP, name: unix.TCP_FASTOPEN},
	{protoIP, 8}:   {level: unix.IPPROTO_IP, name: unix.IP_RECVPKTINFO, flag: true},
	{protoIP, 12}:  {level: unix.IPPROTO_IP, name: unix.IP_RECVTTL, flag: true},
	{protoIP, 13}:  {level: unix.IPPROTO_IP, name: unix.IP_RECVTOS, flag: true},
}

var messages = []message{
	{level: protoIP, typ: 8, nativeLevel: unix.IPPROTO_IP, nativeTyp: unix.IP_PKTINFO},
	{level: protoIP, typ: 2, nativeLevel: unix.IPPROTO_IP, nativeTyp: unix.IP_RECVTTL, octet: true},
	{level: protoIP, typ: 1, nativeLevel: unix.IPPROTO_IP, nativeTyp: unix.IP_RECVTOS, octet: true},
	{level: protoIPv6, typ: 50, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_PKTINFO},
	{level: protoIPv6, typ: 52, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_HOPLIMIT},
	{level: protoIPv6, typ: 67, nativeLevel: unix.IPPROTO_IPV6, nativeTyp: unix.IPV6_TCLASS},
}

// soLinger counts in seconds. SO_LINGER would be in ticks.
const soLinger = unix.SO_LINGER_SEC

// PeerCred returns the peer of a Unix socket at the time when it was connected: LOCAL_PEERCRED and LOCAL_PEERPID.
func PeerCred(fd int32) (cred Ucred, res int32) {
	x, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return cred, failed(err)
	}
	pid, err := unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	return Ucred{PID: int32(pid), UID: x.Uid, GID: x.Groups[0]}, done(err)
}

// takesIndex says whether an interface for multicast can be given by its index, in a struct ip_mreqn.
const takesIndex = true
