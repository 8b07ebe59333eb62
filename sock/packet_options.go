package sock

import (
	"encoding/binary"

	"ringo/internal/kernel"
)

// SetReadBuffer sets the size of the kernel's receive buffer in bytes, which bounds unread datagrams. The kernel
// doubles it for its own needs, and limits it to net.core.rmem_max. Any goroutine may call it.
func (c *packet) SetReadBuffer(bytes int) error { return c.setOption(solSocket, soRcvbuf, bytes) }

// SetWriteBuffer sets the size of the kernel's send buffer in bytes; the kernel limits it to net.core.wmem_max. Any
// goroutine may call it.
func (c *packet) SetWriteBuffer(bytes int) error { return c.setOption(solSocket, soSndbuf, bytes) }

func (c *packet) setOption(level, option, value int) error {
	_, err := c.plain("set", func(k kernel.Kernel, fd int32) int32 { return k.Setsockopt(fd, level, option, value) })
	return err
}

func (c *packet) setOptionBytes(level, option int, value []byte) error {
	_, err := c.plain("set", func(k kernel.Kernel, fd int32) int32 {
		return k.SetsockoptBytes(fd, level, option, value)
	})
	return err
}

// Of SO_MEMINFO, an array of words, see sock_diag(7).
const (
	soMeminfo    = 55
	meminfoDrops = 8
	meminfoWords = 9
)

// Drops returns how many datagrams for this socket the kernel has dropped, because its queue was full or their checksum
// was wrong; the count wraps. It asks the kernel (SO_MEMINFO, Linux 4.12), so it adds no cost to each datagram. Any
// goroutine may call it.
func (c *PacketConn) Drops() (uint32, error) { return c.packet.Drops() }

// Drops returns how many datagrams for this socket the kernel has counted as dropped; the count wraps. A full queue
// drops none: the sender waits. It asks the kernel (SO_MEMINFO, Linux 4.12). Any goroutine may call it.
func (c *UnixPacketConn) Drops() (uint32, error) { return c.packet.Drops() }

// Drops is like PacketConn.Drops.
func (c *packet) Drops() (uint32, error) {
	b := make([]byte, 4*meminfoWords)
	res, err := c.plain("get", func(k kernel.Kernel, fd int32) int32 {
		return k.GetsockoptBytes(fd, solSocket, soMeminfo, b)
	})
	if err != nil || int(res) < len(b) { // an older kernel did not count yet
		return 0, err
	}
	return binary.NativeEndian.Uint32(b[4*meminfoDrops:]), nil
}
