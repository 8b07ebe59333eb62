package echo

import (
	"sync/atomic"

	"ringo/event"
)

// events answers all connections of a loop, and counts them.
type events struct {
	event.Base
	conns *atomic.Int64
}

// OnOpen counts.
func (e events) OnOpen(*event.Conn) { e.conns.Add(1) }

// lendFrom is from how many bytes on an answer goes out from where the question came in. Fewer are copied, so that
// buffers are back at once.
const lendFrom = 1024

// OnData sends back what came. While the peer does not take it, it is not asked for more.
func (e events) OnData(c *event.Conn, p []byte) int {
	err := e.answer(c, p)
	if err != nil {
		c.Close()
	} else if c.Congested() {
		c.Pause()
	}
	return len(p)
}

func (e events) answer(c *event.Conn, p []byte) error {
	if len(p) < lendFrom {
		return c.Write(p)
	}
	lease, err := c.Keep()
	if err != nil {
		return c.Write(p)
	}
	return c.WriteLease(lease)
}

// OnWritable goes on.
func (e events) OnWritable(c *event.Conn) { c.Resume() }

// OnClose counts.
func (e events) OnClose(*event.Conn, error) { e.conns.Add(-1) }

// datagrams answers all peers of a socket.
type datagrams struct{ event.PacketBase }

// OnDatagram sends it back. One for which there is no room is lost, as in the network.
func (datagrams) OnDatagram(c *event.PacketConn, d event.Datagram) { c.WriteTo(d.Bytes, d.From) }
