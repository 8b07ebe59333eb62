package echo

import (
	"sync/atomic"

	"ringo/event"
)

// events are the callbacks that echo on all connections of a loop, and count these.
type events struct {
	event.Base
	conns *atomic.Int64
}

// OnOpen counts the connection.
func (e events) OnOpen(*event.Conn) { e.conns.Add(1) }

// lendFrom is the size from which data is sent from the receive buffer that it arrived in. Less is copied, so that the
// buffer is free at once.
const lendFrom = 1024

// OnData sends back what came. If the peer does not read that, OnData stops reading from it.
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

// OnWritable reads from the peer again.
func (e events) OnWritable(c *event.Conn) { c.Resume() }

// OnClose counts the connection as gone.
func (e events) OnClose(*event.Conn, error) { e.conns.Add(-1) }

// datagrams are the callbacks that echo on a UDP socket.
type datagrams struct{ event.PacketBase }

// OnDatagram sends a datagram back. If the socket has no room for it, it is lost, as on the network.
func (datagrams) OnDatagram(c *event.PacketConn, d event.Datagram) { c.WriteTo(d.Bytes, d.From) }
