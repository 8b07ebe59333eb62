package sock

import (
	"net/netip"
	"time"

	"ringo/internal/cmsg"
	"ringo/internal/sys"
)

// Control is what travels beside a datagram in control messages, in the order of bytes that the
// kernel has: ParseControl reads it, Append writes it. A zero field was not there, or is not sent,
// unless its comment says otherwise.
type Control struct {
	// Local is the address of this host to which the datagram was sent; in one that
	// is sent, from which of its addresses it goes. Interface is the index of the
	// interface through which it came, or is to go.
	Local     netip.Addr
	Interface uint32

	// TOS is the type of service, or the traffic class of IPv6; its two low bits are
	// ECN. HasTOS says that it is there, as 0 is a value.
	TOS    uint8
	HasTOS bool

	// TTL is the time to live, or the hop limit, with which the datagram came, or is
	// to go.
	TTL uint8

	// Time is when the kernel received the datagram.
	Time time.Time

	// Segment is the size of the datagrams that came joined, all of one sender, of
	// which the last may be shorter: see SetGRO. In what is sent it is the size of the
	// datagrams into which the kernel cuts it (UDP_SEGMENT, Linux 4.18): see
	// WriteSegments, which needs no Control.
	Segment int
}

// ControlMax is room for all control messages of one datagram, in bytes.
const ControlMax = 256

// ParseControl reads the control messages of ReadMsgUDP or of a Message. It skips messages that it
// does not know, and stops at what is no message, such as the rest of one for which there was no
// room. It allocates nothing.
func ParseControl(oob []byte) (c Control) {
	for m, rest, ok := cmsg.Next(oob); ok; m, rest, ok = cmsg.Next(rest) {
		if info, ok := m.Info(); ok {
			c.Local, c.Interface = info.Dst.Unmap(), info.Index
		}
		if tos, ok := m.TOS(); ok {
			c.TOS, c.HasTOS = tos, true
		}
		if ttl, ok := m.TTL(); ok {
			c.TTL = ttl
		}
		if t, ok := m.Timestamp(); ok {
			c.Time = t
		}
		if size, ok := m.GRO(); ok && size > 0 {
			c.Segment = size
		}
	}
	return c
}

// Append appends the control messages of a datagram that goes to an address of dst's family, which
// matters on a socket of both. Time can't be sent. With ControlMax bytes of capacity it allocates
// nothing.
func (c *Control) Append(oob []byte, dst netip.Addr) []byte {
	v6 := !dst.Unmap().Is4()
	if c.Local.IsValid() || c.Interface != 0 {
		oob = cmsg.AppendInfo(oob, v6, c.Interface, c.Local)
	}
	if c.HasTOS {
		oob = cmsg.AppendTOS(oob, v6, c.TOS)
	}
	if c.TTL != 0 {
		oob = cmsg.AppendTTL(oob, v6, c.TTL)
	}
	if c.Segment > 0 {
		oob = cmsg.AppendSegment(oob, uint16(min(c.Segment, datagramMax-1)))
	}
	return oob
}

// ControlFlags name what SetControl asks for.
type ControlFlags uint8

// What the kernel reports of datagrams if it is asked.
const (
	ControlLocal ControlFlags = 1 << iota // Control.Local and Interface
	ControlTOS                            // Control.TOS
	ControlTTL                            // Control.TTL
	ControlTime                           // Control.Time
)

// SetControl says whether the kernel reports these things of datagrams that come from
// now on, in control messages for ReadMsgUDP and ReadBatch. Any goroutine may call it.
func (c *PacketConn) SetControl(what ControlFlags, on bool) error {
	type option struct{ level, name int }
	v4, v6 := map[ControlFlags]option{
		ControlLocal: {cmsg.LevelIP, cmsg.IPInfo},
		ControlTOS:   {cmsg.LevelIP, cmsg.IPRecvTOS},
		ControlTTL:   {cmsg.LevelIP, cmsg.IPRecvTTL},
	}, map[ControlFlags]option{
		ControlLocal: {cmsg.LevelIPv6, cmsg.IPv6RecvInfo},
		ControlTOS:   {cmsg.LevelIPv6, cmsg.IPv6RecvClass},
		ControlTTL:   {cmsg.LevelIPv6, cmsg.IPv6RecvLimit},
	}
	for f := ControlLocal; f <= ControlTTL; f <<= 1 {
		if what&f == 0 {
			continue
		}
		// A socket of IPv6 takes those of IPv4, too, for what comes by IPv4.
		if err := c.setOption(v4[f].level, v4[f].name, boolInt(on)); err != nil {
			return err
		}
		if c.family == sys.AFInet6 {
			if err := c.setOption(v6[f].level, v6[f].name, boolInt(on)); err != nil {
				return err
			}
		}
	}
	if what&ControlTime != 0 {
		return c.setOption(solSocket, cmsg.TimestampNS, boolInt(on))
	}
	return nil
}
