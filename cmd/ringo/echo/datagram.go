package echo

import (
	"context"
	"errors"
	"net"

	"ringo"
	"ringo/event"
	"ringo/sock"
)

const (
	datagramMax = 1 << 16 // bytes of a datagram, at most
	udpBatch    = 32      // datagrams in one call
)

// serveDatagrams echoes the datagrams of one socket until the drain begins. -handler request and conn are the same
// here: one task per socket. Callbacks serve UDP alone; a unixgram socket gets a task.
func (e *echoer) serveDatagrams(l *ringo.Loop, c net.PacketConn) error {
	if c == nil {
		return nil
	}
	if udp, ok := c.(*sock.PacketConn); ok && e.kind == perEvent {
		loop := event.On(l)
		loop.Receive(udp, datagrams{})
		return loop.Wait()
	}
	defer c.Close()
	defer context.AfterFunc(e.Context, func() { c.Close() })()
	var err error
	if e.kind == perGoroutine {
		err = l.Offload(func(context.Context) error { return echoDatagrams(c) })
	} else {
		err = echoDatagrams(c)
	}
	if e.Context.Err() != nil && errors.Is(err, net.ErrClosed) {
		return nil // the loops may hear of the drain after the socket did
	}
	return err
}

// echoDatagrams echoes datagrams until a read fails. It ignores those that can't be sent back: their peers are the
// cause.
func echoDatagrams(c net.PacketConn) error {
	if udp, ok := c.(*sock.PacketConn); ok {
		return echoUDP(udp)
	}
	p := make([]byte, datagramMax)
	for {
		n, from, err := c.ReadFrom(p)
		if err != nil {
			return err
		}
		c.WriteTo(p[:n], from)
	}
}

// echoUDP is echoDatagrams with as many datagrams per call as have arrived, up to udpBatch.
func echoUDP(c *sock.PacketConn) error {
	ms := make([]sock.Message, udpBatch)
	room := make([]byte, len(ms)*datagramMax)
	for {
		for i := range ms {
			ms[i].Buffers = append(ms[i].Buffers[:0], room[i*datagramMax:][:datagramMax])
		}
		n, err := c.ReadBatch(ms)
		if err != nil {
			return err
		}
		for i := range ms[:n] {
			ms[i].Buffers[0] = ms[i].Buffers[0][:ms[i].N]
		}
		for sent := 0; sent < n; sent++ { // skips the one that can't be sent
			k, _ := c.WriteBatch(ms[sent:n])
			sent += k
		}
	}
}
