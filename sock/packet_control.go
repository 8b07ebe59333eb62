package sock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ringo/internal/cmsg"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Control is the content of a datagram's control messages: ParseControl decodes them, Append encodes them, in the
// kernel's byte order. A zero field was not present, or is not sent, unless its comment says otherwise.
type Control struct {
	// Local is this host's address that a received datagram was sent to, or that a sent one comes from. Interface is
	// the index of the interface that it came through, or is sent through.
	Local     netip.Addr
	Interface uint32

	// TOS is the type of service, or the traffic class of IPv6; its two low bits are ECN. HasTOS says whether it is
	// present, since 0 is a valid value.
	TOS    uint8
	HasTOS bool

	// TTL is the time to live, or the hop limit, of the datagram.
	TTL uint8

	// Time is when the kernel received the datagram.
	Time time.Time

	// Segment is the size of received datagrams that were joined, all from one sender, of which the last may be
	// shorter: see SetGRO. In a message that is sent it is the size of the datagrams into which the kernel cuts it
	// (UDP_SEGMENT, Linux 4.18): see WriteSegments, which needs no Control.
	Segment int

	// SendAt is when a datagram that is sent is to leave, for pacing (SCM_TXTIME, Linux 4.19). It takes SetControl with
	// ControlSendAt; without it the send fails with EINVAL. tc-fq(8) holds the datagram back until then, and drops it
	// if that is more than its horizon ahead, 10 s by default; an interface whose packets another scheduler sends has
	// them leave at once. No error tells of either. tc-etf(8) drops them: it takes another clock, and privileges.
	// Append converts SendAt to CLOCK_MONOTONIC, so a step of the clock between it and the send has no effect.
	SendAt time.Time
}

// ControlMax is the space, in bytes, that all control messages of one datagram need.
const ControlMax = 256

// ParseControl decodes the control messages of ReadMsgUDP or of a Message. It skips messages that it does not know, and
// stops at malformed ones, such as a truncated one. It does not allocate.
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

// Append appends the control messages for a datagram to an address of dst's family, which matters on a dual-stack
// socket. Time can't be sent. If oob has ControlMax bytes of free capacity it does not allocate.
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
	if !c.SendAt.IsZero() {
		oob = cmsg.AppendTXTime(oob, time.Until(c.SendAt))
	}
	if c.Segment > 0 {
		oob = cmsg.AppendSegment(oob, uint16(min(c.Segment, datagramMax-1)))
	}
	return oob
}

// ControlFlags select what SetControl asks for.
type ControlFlags uint8

// What the kernel reports about datagrams on request.
const (
	ControlLocal  ControlFlags = 1 << iota // Control.Local and Interface
	ControlTOS                             // Control.TOS
	ControlTTL                             // Control.TTL
	ControlTime                            // Control.Time
	ControlSendAt                          // nothing: it lets Control.SendAt be sent, and stays on
)

// SetControl sets whether the kernel adds these control messages to datagrams from now on, for ReadMsgUDP and
// ReadBatch. A system without them, such as Windows here, refuses them with errors.ErrUnsupported, as a simulated world
// does ControlSendAt, and as is what would turn that off. Any goroutine may call it.
func (c *PacketConn) SetControl(what ControlFlags, on bool) error {
	_, err := c.setControl(what, on)
	return err
}

// setControl is SetControl. whole reports whether datagrams that come by IPv4 have the messages, too.
func (c *PacketConn) setControl(what ControlFlags, on bool) (whole bool, err error) {
	v4, v6 := map[ControlFlags]int{
		ControlLocal: cmsg.IPInfo, ControlTOS: cmsg.IPRecvTOS, ControlTTL: cmsg.IPRecvTTL,
	}, map[ControlFlags]int{
		ControlLocal: cmsg.IPv6RecvInfo, ControlTOS: cmsg.IPv6RecvClass, ControlTTL: cmsg.IPv6RecvLimit,
	}
	whole = true
	for f := ControlLocal; f <= ControlTTL; f <<= 1 {
		if what&f == 0 {
			continue
		}
		both, err := c.setBoth(v4[f], v6[f], boolInt(on))
		if err != nil {
			return false, c.noControl(err)
		}
		whole = whole && both
	}
	if what&ControlTime != 0 {
		err = c.noControl(c.setOption(solSocket, cmsg.TimestampNS, boolInt(on)))
	}
	switch {
	case what&ControlSendAt == 0 || err != nil:
	case !on:
		err = c.fail("set", fmt.Errorf("%w: ControlSendAt stays on", errors.ErrUnsupported))
	default:
		clock := binary.NativeEndian.AppendUint32(nil, clockMonotonic)
		err = c.noControl(c.setOptionBytes(solSocket, cmsg.TXTime, append(clock, 0, 0, 0, 0))) // struct sock_txtime
	}
	return whole, err
}

const clockMonotonic = 1 // CLOCK_MONOTONIC, which takes no privileges

// noControl makes the error of a system that lacks such an option say so.
func (c *PacketConn) noControl(err error) error {
	if errors.Is(err, posix.ENOPROTOOPT) {
		return c.fail("set", fmt.Errorf("control messages: %w", posix.Error(posix.Lack(sys.ENOPROTOOPT))))
	}
	return err
}
