package sock

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"

	"ringo/internal/cmsg"
	"ringo/internal/dial"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Numbers of the Linux ABI, see ip(7) and ipv6(7).
const (
	ipMulticastIf   = 32
	ipMulticastTTL  = 33
	ipMulticastLoop = 34
	ipJoin          = 35
	ipLeave         = 36

	ipv6MulticastIf   = 17
	ipv6MulticastHops = 18
	ipv6MulticastLoop = 19
	ipv6Join          = 20
	ipv6Leave         = 21
)

// JoinGroup makes the socket receive datagrams sent to a multicast group through ifi; with nil it is the interface of
// the group's zone, and without one the kernel chooses. The group's port is the socket's own. Other sockets of the host
// may join too, if all set SO_REUSEADDR before they are bound: see ListenConfig.Control. Any goroutine may call it.
func (c *PacketConn) JoinGroup(ifi *net.Interface, group netip.Addr) error {
	return c.member(ipJoin, ipv6Join, ifi, group)
}

// LeaveGroup undoes JoinGroup. Any goroutine may call it.
func (c *PacketConn) LeaveGroup(ifi *net.Interface, group netip.Addr) error {
	return c.member(ipLeave, ipv6Leave, ifi, group)
}

// member sets an option that takes a group and an interface, a struct ip_mreqn or ipv6_mreq.
func (c *PacketConn) member(v4, v6 int, ifi *net.Interface, group netip.Addr) error {
	group = group.Unmap()
	if !group.IsMulticast() {
		return c.fail("set", &net.AddrError{Err: "not a multicast address", Addr: group.String()})
	}
	if group.Is4() {
		a := group.As4()
		return c.setOptionBytes(cmsg.LevelIP, v4,
			binary.NativeEndian.AppendUint32(append(a[:], 0, 0, 0, 0), indexOf(ifi)))
	}
	index := indexOf(ifi)
	if ifi == nil && group.Zone() != "" {
		var err error
		if index, err = zoneIndex(group); err != nil {
			return c.fail("set", err)
		}
	}
	a := group.As16()
	return c.setOptionBytes(cmsg.LevelIPv6, v6, binary.NativeEndian.AppendUint32(a[:], index))
}

// zoneIndex returns the index of the interface that an address's zone names.
func zoneIndex(a netip.Addr) (uint32, error) {
	a, err := dial.NumericZone(a)
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseUint(a.Zone(), 10, 32)
	if err != nil {
		return 0, &net.AddrError{Err: "there is no such interface", Addr: a.String()}
	}
	return uint32(index), nil
}

func indexOf(ifi *net.Interface) uint32 {
	if ifi == nil {
		return 0
	}
	return uint32(ifi.Index)
}

// SetMulticastInterface sets the interface that multicasts are sent through; with nil the kernel chooses it. Any
// goroutine may call it.
func (c *PacketConn) SetMulticastInterface(ifi *net.Interface) error {
	index := binary.NativeEndian.AppendUint32(nil, indexOf(ifi))
	_, err := c.pair(c.setOptionBytes(cmsg.LevelIP, ipMulticastIf, append(make([]byte, 8), index...)),
		func() error { return c.setOptionBytes(cmsg.LevelIPv6, ipv6MulticastIf, index) })
	return err
}

// SetMulticastLoopback sets whether group members on this host receive the socket's multicasts; by default they do. Any
// goroutine may call it.
func (c *PacketConn) SetMulticastLoopback(on bool) error {
	_, err := c.setBoth(ipMulticastLoop, ipv6MulticastLoop, boolInt(on))
	return err
}

// SetMulticastTTL sets the time to live, or hop limit, of multicasts; the default is 1, this network only. Any
// goroutine may call it.
func (c *PacketConn) SetMulticastTTL(ttl int) error {
	_, err := c.setBoth(ipMulticastTTL, ipv6MulticastHops, ttl)
	return err
}

// setBoth sets an option that both families have. both reports whether it is set for IPv4.
func (c *PacketConn) setBoth(v4, v6, value int) (both bool, err error) {
	return c.pair(c.setOption(cmsg.LevelIP, v4, value),
		func() error { return c.setOption(cmsg.LevelIPv6, v6, value) })
}

// pair sets the option of IPv6, if the socket is of that family, after that of IPv4, whose result is err. An IPv6
// socket also receives datagrams by IPv4, and only Linux lets it set the option of IPv4 for those.
func (c *PacketConn) pair(err error, v6 func() error) (both bool, _ error) {
	if c.family != sys.AFInet6 || err != nil && !errors.Is(err, posix.ENOPROTOOPT) {
		return err == nil, err
	}
	return err == nil, v6()
}
