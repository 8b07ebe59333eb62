//go:build linux

package socktest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"ringo/sock"
)

func udp(x *cell) *sock.PacketConn          { return x.c.(*sock.PacketConn) }
func unixgram(x *cell) *sock.UnixPacketConn { return x.c.(*sock.UnixPacketConn) }

// batch is how many datagrams the batch calls have room for.
const batch = 16

var udpRows = append(packetRows(),
	&row{method: "ReadFromUDP", read: reads(func(x *cell, p []byte) (int, error) {
		n, _, err := udp(x).ReadFromUDP(p)
		return n, err
	})},
	&row{method: "ReadFromAddrPort", read: reads(func(x *cell, p []byte) (int, error) {
		n, from, err := udp(x).ReadFromAddrPort(p)
		if err == nil && from != x.addrPort() {
			x.fault("a datagram from %v, not %v", from, x.addrPort())
		}
		return n, err
	})},
	&row{method: "ReadFromUDPAddrPort", read: reads(func(x *cell, p []byte) (int, error) {
		n, from, err := udp(x).ReadFromUDPAddrPort(p)
		if err == nil && from != x.addrPort() {
			x.fault("a datagram from %v, not %v", from, x.addrPort())
		}
		return n, err
	})},
	&row{method: "ReadMsgUDP", read: reads(func(x *cell, p []byte) (int, error) {
		n, _, _, _, err := udp(x).ReadMsgUDP(p, nil)
		return n, err
	})},
	&row{method: "ReadMsgUDPAddrPort", read: reads(func(x *cell, p []byte) (int, error) {
		n, _, _, _, err := udp(x).ReadMsgUDPAddrPort(p, make([]byte, 64))
		return n, err
	})},
	&row{method: "ReadBatch", read: func(x *cell) (got []byte, err error) {
		ms := make([]sock.Message, batch)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 3), make([]byte, room)}
		}
		n, err := udp(x).ReadBatch(ms)
		for _, m := range ms[:n] {
			k := min(m.N, 3)
			got = append(append(got, m.Buffers[0][:k]...), m.Buffers[1][:m.N-k]...)
		}
		return got, err
	}},
	&row{method: "WriteBatch", write: writeBatch},
	&row{method: "WriteBatch/loose", loose: true, write: writeBatch},
	&row{method: "WriteMsgUDP", loose: true, write: func(x *cell, p []byte) (int, error) {
		n, _, err := udp(x).WriteMsgUDP(p, nil, x.udpAddr())
		return n, err
	}},
	&row{method: "WriteMsgUDPAddrPort", loose: true, write: func(x *cell, p []byte) (int, error) {
		n, _, err := udp(x).WriteMsgUDPAddrPort(p, nil, x.addrPort())
		return n, err
	}},
	&row{method: "WriteSegments", write: func(x *cell, p []byte) (int, error) {
		return udp(x).WriteSegments(p, 64, netip.AddrPort{})
	}},
	&row{method: "WriteToAddrPort", loose: true, write: func(x *cell, p []byte) (int, error) {
		return udp(x).WriteToAddrPort(p, x.addrPort())
	}},
	&row{method: "WriteToUDP", loose: true, write: func(x *cell, p []byte) (int, error) {
		return udp(x).WriteToUDP(p, x.udpAddr())
	}},
	&row{method: "WriteToUDPAddrPort", loose: true, write: func(x *cell, p []byte) (int, error) {
		return udp(x).WriteToUDPAddrPort(p, x.addrPort())
	}},

	&row{method: "Detach", ends: true, ask: func(x *cell) error {
		fd, _, err := udp(x).Detach()
		if err == nil {
			err = syscall.Close(fd)
		}
		return err
	}},
	&row{method: "DetachUDP", ends: true, ask: func(x *cell) error {
		conn, _, err := udp(x).DetachUDP()
		if err == nil {
			err = conn.Close()
		}
		return err
	}},
	&row{method: "ReadBatch/nothing", stays: true, ask: func(x *cell) error {
		_, err := udp(x).ReadBatch(nil)
		return err
	}},
	&row{method: "WriteMsgUDP/nowhere", loose: true, ask: func(x *cell) error {
		_, _, err := udp(x).WriteMsgUDP(nil, nil, nil)
		return expect(err != nil, "WriteMsgUDP")
	}, stays: true},
	&row{method: "GSO", stays: true, ask: func(x *cell) error { udp(x).GSO(); return nil }},
	&row{method: "JoinGroup", ask: func(x *cell) error {
		return answers(udp(x).JoinGroup(nil, netip.MustParseAddr("224.0.0.251")))
	}},
	&row{method: "LeaveGroup", ask: func(x *cell) error {
		return answers(udp(x).LeaveGroup(nil, netip.MustParseAddr("224.0.0.251")))
	}},
	&row{method: "SetControl", ask: func(x *cell) error { return udp(x).SetControl(sock.ControlLocal, true) }},
	&row{method: "SetGRO", ask: func(x *cell) error { return udp(x).SetGRO(false) }},
	&row{method: "SetMulticastInterface", ask: func(x *cell) error {
		return answers(udp(x).SetMulticastInterface(nil))
	}},
	&row{method: "SetMulticastLoopback", ask: func(x *cell) error { return udp(x).SetMulticastLoopback(true) }},
	&row{method: "SetMulticastTTL", ask: func(x *cell) error { return udp(x).SetMulticastTTL(3) }},
)

func writeBatch(x *cell, p []byte) (sent int, err error) {
	ms := make([]sock.Message, batch)
	for i := range ms {
		part := p[i*len(p)/batch : (i+1)*len(p)/batch]
		ms[i].Buffers = [][]byte{part[:5], part[5:]}
		if x.row.loose {
			ms[i].Addr = x.addrPort()
		}
	}
	n, err := udp(x).WriteBatch(ms)
	for _, m := range ms[:n] {
		sent += m.N
	}
	return sent, err
}

var unixgramRows = append(packetRows(),
	&row{method: "ReadFromUnix", read: reads(func(x *cell, p []byte) (int, error) {
		n, _, err := unixgram(x).ReadFromUnix(p)
		return n, err
	})},
	&row{method: "ReadFromUnix/loose", loose: true, read: reads(func(x *cell, p []byte) (int, error) {
		n, from, err := unixgram(x).ReadFromUnix(p)
		if err == nil && (from == nil || from.Name != x.unixAddr().Name) {
			x.fault("a datagram from %v, not %v", from, x.to)
		}
		return n, err
	})},
	&row{method: "ReadMsgUnix", read: reads(func(x *cell, p []byte) (int, error) {
		n, _, _, _, err := unixgram(x).ReadMsgUnix(p, make([]byte, 64))
		return n, err
	})},
	&row{method: "WriteMsgUnix", write: func(x *cell, p []byte) (int, error) {
		n, _, err := unixgram(x).WriteMsgUnix(p, nil, nil)
		return n, err
	}},
	&row{method: "WriteToUnix", loose: true, write: func(x *cell, p []byte) (int, error) {
		return unixgram(x).WriteToUnix(p, x.unixAddr())
	}},
	&row{method: "CloseRead", ask: func(x *cell) error { return unixgram(x).CloseRead() }},
	&row{method: "CloseWrite", ask: func(x *cell) error { return unixgram(x).CloseWrite() }},
	&row{method: "SetUnlinkOnClose", stays: true, ask: func(x *cell) error {
		unixgram(x).SetUnlinkOnClose(true)
		return nil
	}},
)

// netPacket is what both kinds of datagram sockets have.
type netPacket interface {
	handle
	net.PacketConn
	RemoteAddr() net.Addr
	File() (*os.File, error)
	Drops() (uint32, error)
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
	SetOptions(sock.Options) error
	Options() (sock.Options, error)
}

// answers keeps the errors that the matrix is about and drops all others: the system may not have such a network.
func answers(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ofIP drops the error that Unix sockets have no IP options.
func ofIP(err error) error {
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

func packetRows() []*row {
	c := func(x *cell) netPacket { return x.c.(netPacket) }
	return []*row{
		{method: "Read", read: reads(func(x *cell, p []byte) (int, error) { return x.c.Read(p) })},
		{method: "ReadFrom", read: reads(func(x *cell, p []byte) (int, error) {
			n, _, err := c(x).ReadFrom(p)
			return n, err
		})},
		{method: "ReadFrom/loose", loose: true, read: reads(func(x *cell, p []byte) (int, error) {
			n, from, err := c(x).ReadFrom(p)
			if err == nil && from.String() != x.to.String() {
				x.fault("a datagram from %v, not %v", from, x.to)
			}
			return n, err
		})},
		{method: "SyscallConn/Read", raw: true, read: reads(rawRead)},
		{method: "Write", write: func(x *cell, p []byte) (int, error) { return x.c.Write(p) }},
		{method: "WriteTo", loose: true, write: func(x *cell, p []byte) (int, error) { return c(x).WriteTo(p, x.to) }},
		{method: "SyscallConn/Write", write: rawWrite},

		{method: "Loop", stays: true, ask: func(x *cell) error { return expect(x.c.Loop() == x.home.l, "Loop") }},
		{method: "LocalAddr", stays: true, ask: func(x *cell) error { c(x).LocalAddr(); return nil }},
		{method: "RemoteAddr", stays: true, ask: func(x *cell) error { c(x).RemoteAddr(); return nil }},
		{method: "Read/nothing", ask: func(x *cell) error { _, err := x.c.Read(nil); return err }},
		{method: "Drops", ask: func(x *cell) error { _, err := c(x).Drops(); return err }},
		{method: "File", ask: func(x *cell) error {
			f, err := c(x).File()
			if err == nil {
				err = f.Close()
			}
			return err
		}},
		{method: "SetDeadline", ask: func(x *cell) error { return x.c.SetDeadline(time.Now().Add(time.Hour)) }},
		{method: "SetReadDeadline", ask: func(x *cell) error { return x.c.SetReadDeadline(time.Time{}) }},
		{method: "SetWriteDeadline", ask: func(x *cell) error { return x.c.SetWriteDeadline(time.Time{}) }},
		{method: "SetReadBuffer", ask: func(x *cell) error { return c(x).SetReadBuffer(1 << 14) }},
		{method: "SetWriteBuffer", ask: func(x *cell) error { return c(x).SetWriteBuffer(1 << 14) }},
		{method: "SetOptions", ask: func(x *cell) error { return ofIP(c(x).SetOptions(sock.Options{TOS: 16})) }},
		{method: "Options", ask: func(x *cell) error { _, err := c(x).Options(); return ofIP(err) }},
		{method: "SyscallConn/Control", ask: func(x *cell) error {
			raw, err := x.c.SyscallConn()
			if err != nil {
				return err
			}
			return raw.Control(func(uintptr) {})
		}},
		{method: "Close", ends: true, stays: true, ask: func(x *cell) error { return x.closed(x.c) }},
	}
}
