package sock

import (
	"errors"
	"net/netip"

	"ringo/internal/cmsg"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// SetGRO sets whether the kernel joins consecutive datagrams of the same sender and size (UDP_GRO, Linux 5.0). The
// ReadMsg methods, ReadBatch and ServePackets return them as one, with their size in Control.Segment, and need buffers
// of 64 KiB: the rest is lost. The other reads return them one by one. Any goroutine may call it,
// best before the first read: one that waits meanwhile, in a goroutine or a task of another loop, may lose the rest of
// the first that come joined.
func (c *PacketConn) SetGRO(on bool) error {
	before := on && c.in.gro.Swap(true) // to stay, for what comes joined after it was turned off
	err := c.setOption(cmsg.LevelUDP, cmsg.GRO, boolInt(on))
	if err != nil && on && !before {
		c.in.gro.Store(false)
	}
	return err
}

// The limits of what the kernel segments in one call: UDP_MAX_SEGMENTS, as it was until Linux 6.9, and the longest
// datagram with the longest headers.
const (
	segmentsMax  = 64
	segmentBytes = 65535 - 40 - 8
)

// WriteSegments sends p as datagrams of size bytes, of which the last may be shorter, to addr, the zero value on a
// connected socket. It returns how many bytes were sent, fewer than len(p) only with an error. If possible the kernel
// cuts p (GSO, Linux 4.18), which costs a fraction. If the interface does not support that, the first send fails; from
// then on the datagrams, including these, are sent one by one, and GSO returns false. It parks while the socket has no
// room; the kernel may use p until WriteSegments returns. Any goroutine may call it.
func (c *PacketConn) WriteSegments(p []byte, size int, addr netip.AddrPort) (int, error) {
	if size <= 0 {
		return 0, c.failTo(&sendmsg{named: true, to: addr}, callError("sendmsg", -sys.EMSGSIZE))
	}
	plainly := false
	n := 0
	for n < len(p) {
		piece, oob := p[n:min(len(p), n+size)], []byte(nil)
		if several := min(segmentsMax, segmentBytes/size); !plainly && several > 1 && c.GSO() && len(p)-n > size {
			piece = p[n:min(len(p), n+size*several)]
			oob = c.cutter(size)
		}
		k, _, err := c.WriteMsgUDPAddrPort(piece, oob, addr)
		if err != nil && oob != nil && c.uncut(err) {
			plainly = true
			continue
		}
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// uncut reports whether an error means that the kernel can't segment. EIO means that the interface can't; the other
// errors may concern this size only.
func (c *PacketConn) uncut(err error) bool {
	if errors.Is(err, posix.EIO) {
		c.out.plainly.Store(true)
		return true
	}
	return errors.Is(err, posix.EINVAL) || errors.Is(err, posix.EMSGSIZE)
}

// cut is the control message for one size of segments, kept for the next call.
type cut struct {
	size int
	oob  []byte
}

func (c *PacketConn) cutter(size int) []byte {
	last := c.out.cut.Load()
	if last == nil || last.size != size {
		last = &cut{size, cmsg.AppendSegment(nil, uint16(size))}
		c.out.cut.Store(last)
	}
	return last.oob
}

// GSO reports whether WriteSegments lets the kernel cut datagrams; it does until an interface turns out not to support
// that. Any goroutine may call it.
func (c *PacketConn) GSO() bool { return !c.out.plainly.Load() }
