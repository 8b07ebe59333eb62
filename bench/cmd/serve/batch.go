package main

import (
	"encoding/binary"

	"ringo/sock"
)

// The sizes for programs that only Ringo's datagram sockets can run, the same as in their twins in bench/c.
const (
	batchMax   = 64 // datagrams in a call, of an echo
	pieces     = 16 // pieces in a call, of bulk
	pieceMax   = 64 << 10
	pieceSent  = 60_000  // bytes of a sent piece, at most
	bulkBuffer = 4 << 20 // of the socket; the kernel may grant less
)

// newMessages makes n messages with room for size bytes each.
func newMessages(n, size int) []sock.Message {
	ms := make([]sock.Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size)}
	}
	return ms
}

func newUDPBatch(*options) (*program, error) { return &program{packets: echoBatches}, nil }

// echoBatches does what bench/c/udp_echo.c does.
func echoBatches(c *sock.PacketConn) error {
	if err := c.SetReadBuffer(udpBuffer); err != nil {
		return err
	}
	ms := newMessages(batchMax, datagramMax)
	for {
		n, err := c.ReadBatch(ms)
		if err != nil {
			return err
		}
		for i := range ms[:n] {
			m := &ms[i]
			m.Buffers[0] = m.Buffers[0][:m.N]
		}
		if _, err := c.WriteBatch(ms[:n]); err != nil {
			return err
		}
		for i := range ms[:n] {
			m := &ms[i]
			m.Buffers[0] = m.Buffers[0][:datagramMax]
		}
	}
}

func newUDPServe(*options) (*program, error) { return &program{packets: serveDatagrams}, nil }

// serveDatagrams echoes each datagram in a task of its own.
func serveDatagrams(c *sock.PacketConn) error {
	if err := c.SetReadBuffer(udpBuffer); err != nil {
		return err
	}
	return sock.ServePackets(c.Loop(), c, &sock.PacketHandler{Packet: func(p *sock.Packet) { p.Reply(p.Bytes) }})
}

func newBulkRecv(*options) (*program, error) { return &program{packets: receiveBulk}, nil }

// receiveBulk does what bench/c/udp_bulk.c does as the receiver.
func receiveBulk(c *sock.PacketConn) error {
	if err := c.SetReadBuffer(bulkBuffer); err != nil {
		return err
	}
	if err := c.SetGRO(true); err != nil {
		return err
	}
	ms := newMessages(pieces, pieceMax)
	for i := range ms {
		ms[i].OOB = make([]byte, sock.ControlMax)
	}
	var datagrams, bytes uint64
	for {
		n, err := c.ReadBatch(ms)
		if err != nil {
			return err
		}
		for i := range ms[:n] {
			m := &ms[i]
			if m.N == 1 {
				answer := binary.NativeEndian.AppendUint64(nil, datagrams)
				answer = binary.NativeEndian.AppendUint64(answer, bytes)
				if _, err := c.WriteToUDPAddrPort(append(answer, m.Buffers[0][0]), m.Addr); err != nil {
					return err
				}
				continue
			}
			size := sock.ParseControl(m.OOB[:m.NN]).Segment
			if size == 0 {
				size = max(1, m.N)
			}
			datagrams += uint64((m.N + size - 1) / size)
			bytes += uint64(m.N)
		}
	}
}

func newBulkSend(o *options) (*program, error) {
	return &program{packets: func(c *sock.PacketConn) error { return sendBulk(c, o.size) }}, nil
}

// sendBulk does what bench/c/udp_bulk.c does as the sender.
func sendBulk(c *sock.PacketConn, size int) error {
	if err := c.SetWriteBuffer(bulkBuffer); err != nil {
		return err
	}
	_, to, err := c.ReadFromUDPAddrPort(make([]byte, 16))
	if err != nil {
		return err
	}
	stop := false
	c.Loop().Post(func() {
		c.ReadFromUDPAddrPort(make([]byte, 16))
		stop = true
	})
	segments := max(1, pieceSent/size)
	ms := newMessages(pieces, segments*size)
	for i := range ms {
		ms[i].Addr = to
		ms[i].OOB = (&sock.Control{Segment: size}).Append(nil, to.Addr())
	}
	for sent := uint64(0); !stop; {
		for i := range ms {
			binary.NativeEndian.PutUint64(ms[i].Buffers[0], sent+uint64((i+1)*segments))
		}
		n, err := c.WriteBatch(ms)
		if err != nil {
			return err
		}
		sent += uint64(n * segments)
	}
	return nil
}
