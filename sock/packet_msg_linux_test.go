//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/cmsg"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// anywhere runs body for a socket on each driver and from each kind of caller.
func anywhere(t *testing.T, network, address string, body func(t *testing.T, s *sock.PacketConn, do func(f func()))) {
	t.Helper()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		if err := bindable(network, address); err != nil {
			t.Skip(err)
		}
		for _, from := range kindsOfCallers {
			t.Run(from, func(t *testing.T) {
				s := servePacket(t, cfg, network, address)
				body(t, s.PacketConn, startAs(from, s.Loop()).run)
			})
		}
	})
}

// bindable asks package net whether there is such an address here.
func bindable(network, address string) error {
	c, err := net.ListenPacket(network, address)
	if err == nil {
		c.Close()
	}
	return err
}

// Datagrams that are longer than the buffer are cut, in silence by the plain reads and
// with MSG_TRUNC by the others, also those that were fetched with another.
func TestPacketTruncation(t *testing.T) {
	anywhere(t, "udp", "127.0.0.1:0", func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		peer := dialUDP(t, s.LocalAddr().String())
		defer peer.Close()
		long := bytes.Repeat([]byte("0123456789"), 1000)
		for range 8 {
			if _, err := peer.Write(long); err != nil {
				t.Fatal(err)
			}
		}
		do(func() {
			p := make([]byte, 10)
			for range 2 {
				if n, _, err := s.ReadFrom(p); n != 10 || err != nil {
					t.Errorf("ReadFrom = %d, %v", n, err)
				}
				if n, _, flags, from, err := s.ReadMsgUDPAddrPort(p[:5], nil); n != 5 || flags != syscall.MSG_TRUNC ||
					from != portOf(peer) || err != nil {
					t.Errorf("ReadMsgUDPAddrPort = %d, flags %#x, %v, %v", n, flags, from, err)
				}
			}
			ms := []sock.Message{{Buffers: [][]byte{p[:3], p[3:7]}}}
			for range 3 {
				if n, err := s.ReadBatch(ms); n != 1 || err != nil || ms[0].N != 7 ||
					ms[0].Flags != syscall.MSG_TRUNC || string(p[:7]) != "0123456" {
					t.Errorf("ReadBatch = %d, %v: %+v", n, err, ms[0])
				}
			}
			whole := make([]byte, len(long)+1)
			if n, _, flags, _, err := s.ReadMsgUDP(whole, nil); flags != 0 || err != nil ||
				!bytes.Equal(whole[:n], long) {
				t.Errorf("ReadMsgUDP = %d, flags %#x, %v", n, flags, err)
			}
		})
	})
}

// Empty datagrams are datagrams.
func TestPacketEmpty(t *testing.T) {
	anywhere(t, "udp", "127.0.0.1:0", func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		peer := dialUDP(t, s.LocalAddr().String())
		defer peer.Close()
		for range 4 {
			peer.Write(nil)
		}
		do(func() {
			if n, err := s.Read(nil); n != 0 || err != nil {
				t.Errorf("Read(nil) = %d, %v", n, err)
			}
			p := make([]byte, 10)
			for range 2 {
				if n, from, err := s.ReadFrom(p); n != 0 || err != nil || from.String() != peer.LocalAddr().String() {
					t.Errorf("ReadFrom = %d, %v, %v", n, from, err)
				}
			}
			if n, _, err := s.ReadFrom(nil); n != 0 || err != nil {
				t.Errorf("ReadFrom(nil) = %d, %v", n, err)
			}
			if n, err := s.Read(p); n != 0 || err != nil {
				t.Errorf("Read = %d, %v", n, err)
			}
			if n, err := s.WriteToUDPAddrPort(nil, portOf(peer)); n != 0 || err != nil {
				t.Errorf("WriteToUDPAddrPort(nil) = %d, %v", n, err)
			}
		})
		if n, err := peer.Read(make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("the peer read %d, %v", n, err)
		}
	})
}

// A batch carries what it is told, to whom it is told.
func TestPacketBatch(t *testing.T) {
	anywhere(t, "udp", "127.0.0.1:0", func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		peer, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		const count = 3 * sock.MessagesMax
		do(func() {
			ms := make([]sock.Message, count)
			for i := range ms {
				ms[i].Addr = portOf(peer)
				ms[i].Buffers = [][]byte{{byte(i)}, nil, bytes.Repeat([]byte("x"), i%5)}
			}
			if n, err := s.WriteBatch(ms); n != count || err != nil {
				t.Errorf("WriteBatch = %d, %v", n, err)
			}
			for i := range ms {
				if ms[i].N != 1+i%5 {
					t.Errorf("message %d: %d bytes", i, ms[i].N)
				}
			}
			if n, err := s.WriteBatch(nil); n != 0 || err != nil {
				t.Errorf("WriteBatch(nil) = %d, %v", n, err)
			}
			ms[2].Addr = netip.AddrPort{}
			if n, err := s.WriteBatch(ms[:4]); n != 2 || err == nil {
				t.Errorf("WriteBatch with an address missing = %d, %v", n, err)
			}
		})
		p := make([]byte, 100)
		for i := range count {
			n, from, err := peer.ReadFrom(p)
			if err != nil || n != 1+i%5 || p[0] != byte(i) || from.String() != s.LocalAddr().String() {
				t.Fatalf("datagram %d: %d bytes, %v, %v", i, n, from, err)
			}
			if _, err := peer.WriteTo(p[:n], from); err != nil {
				t.Fatal(err)
			}
		}
		do(func() {
			ms := make([]sock.Message, 2*sock.MessagesMax)
			for i := range ms {
				ms[i].Buffers = [][]byte{make([]byte, 2), make([]byte, 10)}
			}
			for got := 0; got < count; {
				n, err := s.ReadBatch(ms)
				if err != nil || n < 1 || n > sock.MessagesMax {
					t.Errorf("ReadBatch = %d, %v", n, err)
					return
				}
				for i := range n {
					if m := ms[i]; m.N != 1+(got+i)%5 || m.Buffers[0][0] != byte(got+i) || m.Addr != portOf(peer) ||
						m.Flags != 0 || m.NN != 0 {
						t.Errorf("message %d: %+v", got+i, m)
					}
				}
				got += n
			}
		})
	})
}

// What one read has fetched, any other gives: with its control messages.
func TestPacketControl(t *testing.T) {
	for name, c := range map[string]struct {
		network, address, from string
	}{
		"IPv4":      {"udp4", "127.0.0.1:0", "127.0.0.2"},
		"IPv6":      {"udp6", "[::1]:0", "::1"},
		"dual, v4":  {"udp", ":0", "127.0.0.3"},
		"dual, v6":  {"udp", "[::]:0", "::1"},
		"multihome": {"udp4", "0.0.0.0:0", "127.0.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			anywhere(t, c.network, c.address, func(t *testing.T, s *sock.PacketConn, do func(f func())) {
				src := netip.MustParseAddr(c.from)
				if c.network != "udp4" && src.Is6() && bindable("udp6", "[::1]:0") != nil {
					t.Skip("no ::1 here")
				}
				to := netip.AddrPortFrom(src, portOf(s).Port())
				if name == "IPv4" {
					to = portOf(s)
				}
				do(func() {
					if err := s.SetControl(sock.ControlLocal|sock.ControlTOS|sock.ControlTTL|sock.ControlTime,
						true); err != nil {
						t.Error(err)
					}
				})
				peer := servePacket(t, ringo.Config{Loops: 1}, "udp", netip.AddrPortFrom(unspecified(src), 0).String())
				sent := sock.Control{TOS: 0b10111010, HasTOS: true, TTL: 33, Local: to.Addr()}
				oob := sent.Append(nil, to.Addr())
				for range 6 {
					if n, oobn, err := peer.WriteMsgUDPAddrPort([]byte("with"), oob, to); n != 4 ||
						oobn != len(oob) || err != nil {
						t.Fatalf("WriteMsgUDPAddrPort = %d, %d, %v", n, oobn, err)
					}
				}
				want := func(what string, oob []byte, from netip.AddrPort) {
					got := sock.ParseControl(oob)
					if got.Local != to.Addr() || got.Interface == 0 || got.TOS != sent.TOS || !got.HasTOS ||
						got.TTL != 33 || got.Time.IsZero() {
						t.Errorf("%s: %+v, want %+v", what, got, sent)
					}
					if from.Addr().Unmap() != to.Addr() {
						t.Errorf("%s: from %v, want %v", what, from, to.Addr())
					}
				}
				do(func() {
					p, room := make([]byte, 10), make([]byte, sock.ControlMax)
					if n, _, err := s.ReadFromUDPAddrPort(p); n != 4 || err != nil { // it fetches the others
						t.Errorf("ReadFromUDPAddrPort = %d, %v", n, err)
					}
					for range 2 {
						n, oobn, flags, from, err := s.ReadMsgUDPAddrPort(p, room)
						if n != 4 || flags != 0 || err != nil {
							t.Errorf("ReadMsgUDPAddrPort = %d, flags %#x, %v", n, flags, err)
						}
						want("ReadMsgUDPAddrPort", room[:oobn], from)
					}
					n, oobn, flags, _, err := s.ReadMsgUDPAddrPort(p, room[:40]) // room for one
					if n != 4 || flags != syscall.MSG_CTRUNC || err != nil || oobn > 40 {
						t.Errorf("ReadMsgUDPAddrPort without room = %d, %d, flags %#x, %v", n, oobn, flags, err)
					}
					ms := []sock.Message{{Buffers: [][]byte{p}, OOB: room}}
					for range 2 {
						if n, err := s.ReadBatch(ms); n != 1 || err != nil || ms[0].Flags != 0 {
							t.Errorf("ReadBatch = %d, %v: %+v", n, err, ms[0])
						}
						want("ReadBatch", room[:ms[0].NN], ms[0].Addr)
					}
				})
			})
		})
	}
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// A datagram says when it is to leave, by the kernel's clock, once the socket may.
func TestControlSendAt(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			in := listenPacket(t, l, "udp", "127.0.0.1:0")
			defer in.Close()
			out := peerOf(t, l, in.LocalAddr())
			defer out.Close()
			in.SetDeadline(socktest.Now(l).Add(patience.Max))
			at := sock.Control{SendAt: time.Now().Add(time.Millisecond)}
			oob := at.Append(nil, netip.Addr{})
			if _, _, err := out.WriteMsgUDP([]byte("x"), oob, nil); !errors.Is(err, posix.EINVAL) {
				t.Errorf("WriteMsgUDP before SetControl = %v", err)
			}
			err := out.SetControl(sock.ControlSendAt, true)
			if socktest.InWorld() {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("SetControl() = %v", err)
				}
				return
			}
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skipf("the kernel has no SO_TXTIME, it is before 4.19: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := out.SetControl(sock.ControlSendAt, false); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("SetControl(false) = %v", err)
			}
			for i, d := range []time.Duration{-time.Hour, 0, time.Millisecond} {
				at.SendAt = time.Now().Add(d)
				p := fmt.Sprint(i)
				if _, _, err := out.WriteMsgUDP([]byte(p), at.Append(oob[:0], netip.Addr{}), nil); err != nil {
					t.Errorf("WriteMsgUDP of a datagram %v ahead = %v", d, err)
				}
				wantReply(t, in, p)
			}
		})
	})
	before := sys.Monotonic()
	at := sock.Control{SendAt: time.Now().Add(time.Hour)}
	m, _, ok := cmsg.Next(at.Append(nil, netip.Addr{}))
	after := sys.Monotonic()
	if !ok || m.Type != cmsg.TXTime || len(m.Data) != 8 {
		t.Fatalf("the message is %+v", m)
	}
	ns := int64(binary.NativeEndian.Uint64(m.Data)) - int64(time.Hour)
	if ns < before || ns > after {
		t.Errorf("an hour ahead is one of %d ns, between %d and %d", ns, before, after)
	}
}

// What may be sent is read back as it was.
func TestControlRoundTrip(t *testing.T) {
	for _, dst := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"} {
		a := netip.MustParseAddr(dst)
		want := sock.Control{Local: a.Unmap(), Interface: 3, TOS: 0, HasTOS: true, TTL: 255}
		// IPv4 has other places for what is sent
		if got := sock.ParseControl(want.Append(nil, a)); got != want && a.Unmap().Is6() {
			t.Errorf("%v: %+v, want %+v", dst, got, want)
		} else if got.TTL != 255 || !got.HasTOS {
			t.Errorf("%v: %+v, want %+v", dst, got, want)
		}
	}
	if got := new(sock.Control).Append(nil, netip.Addr{}); got != nil {
		t.Errorf("nothing became %x", got)
	}
	if got := sock.ParseControl(nil); got != (sock.Control{}) {
		t.Errorf("nothing was read as %+v", got)
	}
}

// FuzzParseControl reads hostile control messages: no panic, nothing out of bounds,
// and what was read and can be sent is read again as it was.
func FuzzParseControl(f *testing.F) {
	f.Add([]byte{})
	for _, dst := range []string{"192.0.2.1", "2001:db8::1"} {
		a := netip.MustParseAddr(dst)
		c := sock.Control{Local: a, Interface: 1, TOS: 2, HasTOS: true, TTL: 64, Segment: 1200}
		f.Add(c.Append(nil, a))
	}
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, oob []byte) {
		c := sock.ParseControl(oob)
		if c.Segment < 0 {
			t.Fatalf("segments of %d bytes", c.Segment)
		}
		c.Segment, c.Time = 0, time.Time{}
		if !c.Local.Is6() { // IPv4 has other places for what is sent than for what came
			c.Local, c.Interface = netip.Addr{}, 0
		}
		again := sock.ParseControl(c.Append(nil, netip.IPv6Unspecified()))
		if c.Local == netip.IPv6Unspecified() || again.Local == netip.IPv6Unspecified() {
			c.Local, again.Local = netip.Addr{}, netip.Addr{}
		}
		if again != c {
			t.Fatalf("%+v became %+v", c, again)
		}
	})
}

// ipMethods are what both kinds of raw sockets have.
type ipMethods interface {
	net.Conn
	net.PacketConn
	syscall.Conn
	File() (*os.File, error)
	ReadFromIP(b []byte) (int, *net.IPAddr, error)
	ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error)
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error)
	WriteToIP(b []byte, addr *net.IPAddr) (int, error)
}

var _, _ ipMethods = (*net.IPConn)(nil), (*sock.IPConn)(nil)

// protocolForTests is one of those that RFC 3692 leaves to experiments.
const protocolForTests = 253

// rawIP makes a raw socket of package net.
func rawIP(t *testing.T, address string) *net.IPConn {
	t.Helper()
	c, err := net.ListenPacket(fmt.Sprintf("ip:%d", protocolForTests), address)
	for _, without := range []error{os.ErrPermission, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, without) {
			t.Skip(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.IPConn)
}

// ipCalls is a program on raw sockets, and what it has seen. Each socket gets what is sent to its address, its own
// datagrams as well.
func ipCalls(c ipMethods, self *net.IPAddr) string {
	var seen strings.Builder
	see := func(what string, values ...any) {
		fmt.Fprintf(&seen, "%s:", what)
		for _, v := range values {
			if err, ok := v.(error); ok {
				v = kinds(err)
			}
			fmt.Fprintf(&seen, " %v", v)
		}
		seen.WriteByte('\n')
	}
	body := func(b []byte) []byte { // the header of IPv4 has a number that differs
		if len(b) >= 20 && b[0] == 0x45 && binary.BigEndian.Uint16(b[2:]) == uint16(len(b)) {
			return append([]byte("header "), b[20:]...)
		}
		return b
	}
	c.SetDeadline(patience.Deadline())
	see("addresses", c.LocalAddr().Network(), c.LocalAddr(), c.RemoteAddr())
	b, oob := make([]byte, 100), make([]byte, 100)
	n, err := c.WriteToIP([]byte("one"), self)
	see("WriteToIP", n, err)
	n, from, err := c.ReadFromIP(b)
	see("ReadFromIP", fmt.Sprintf("%q", b[:n]), from, err)
	n, err = c.WriteTo([]byte("two"), self)
	see("WriteTo", n, err)
	n, a, err := c.ReadFrom(b)
	see("ReadFrom", fmt.Sprintf("%q", b[:n]), a, err)
	n, oobn, err := c.WriteMsgIP([]byte("three"), nil, self)
	see("WriteMsgIP", n, oobn, err)
	n, oobn, flags, from, err := c.ReadMsgIP(b, oob)
	see("ReadMsgIP", fmt.Sprintf("%q", body(b[:n])), oobn, flags, from, err)
	n, err = c.WriteToIP([]byte("four"), self)
	see("WriteToIP", n, err)
	n, err = c.Read(b)
	see("Read", fmt.Sprintf("%q", body(b[:n])), err)
	n, err = c.WriteToIP([]byte("much"), self)
	see("WriteToIP", n, err)
	n, oobn, flags, _, err = c.ReadMsgIP(b[:2], nil)
	see("ReadMsgIP, short", n, oobn, flags&syscall.MSG_TRUNC, err)

	_, err = c.WriteToIP(b, nil)
	see("to nobody", err)
	_, err = c.WriteTo(b, &net.UDPAddr{})
	see("to another type", err)
	_, err = c.Write(b)
	see("Write", err)
	if self.IP.To4() != nil {
		_, err = c.WriteToIP(b, &net.IPAddr{IP: net.IPv6loopback})
		see("to the other family", err)
	}
	see("options", c.SetReadBuffer(1<<16), c.SetWriteBuffer(1<<16))
	f, err := c.File()
	see("File", err)
	if err == nil {
		f.Close()
	}
	c.SetReadDeadline(time.Unix(1, 0))
	_, _, err = c.ReadFromIP(b)
	see("late", err)
	see("Close", c.Close())
	_, _, err = c.ReadFromIP(b)
	see("closed", err)
	see("again", c.Close())
	return seen.String()
}

// Raw sockets that come from package net see what they would have seen there, in tasks and from goroutines.
func TestIPConn(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		self := &net.IPAddr{IP: net.ParseIP(address)}
		t.Run(address, func(t *testing.T) {
			network := func(s string) string { // package net has the name by which it was made
				return strings.ReplaceAll(s, fmt.Sprintf("ip:%d", protocolForTests), "ip")
			}
			want := network(ipCalls(rawIP(t, address), self))
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
					c, err := sock.Adopt[*sock.IPConn](l, rawIP(t, address), nil)
					if err != nil {
						return err
					}
					some := sock.Options{TOS: 0x10} // which a raw socket of IPv6 has for that alone
					if err := c.SetOptions(some); err != nil {
						t.Error(err)
					}
					if o, err := c.Options(); o.TOS != some.TOS || err != nil {
						t.Errorf("Options: %+v, %v", o, err)
					}
					if d := differences(want, network(ipCalls(c, self))); d != "" {
						t.Errorf("a task:%s", d)
					}
					return l.Offload(func(context.Context) error {
						c, err := sock.Adopt[*sock.IPConn](l, rawIP(t, address), nil)
						if err != nil {
							return err
						}
						if d := differences(want, network(ipCalls(c, self))); d != "" {
							t.Errorf("a goroutine:%s", d)
						}
						return nil
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A socket that is connected sends there, and gets what comes from there.
func TestIPConnConnected(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			peer := rawIP(t, "127.0.0.2")
			defer peer.Close()
			std, err := net.Dial(fmt.Sprintf("ip4:%d", protocolForTests), "127.0.0.2")
			if err != nil {
				t.Fatal(err)
			}
			c, err := sock.Adopt[*sock.IPConn](l, std, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.RemoteAddr().String(); got != "127.0.0.2" {
				t.Errorf("RemoteAddr is %s", got)
			}
			if n, err := c.Write([]byte("ping")); n != 4 || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			if _, err := c.WriteToIP([]byte("x"), &net.IPAddr{IP: net.IPv4(127, 0, 0, 3)}); !errors.Is(err,
				net.ErrWriteToConnected) {
				t.Errorf("WriteToIP of a connected socket: %v", err)
			}
			c.SetReadDeadline(patience.Deadline())
			err = l.Offload(func(context.Context) error {
				b := make([]byte, 100)
				peer.SetReadDeadline(patience.Deadline())
				n, from, err := peer.ReadFrom(b)
				if err == nil && string(b[:n]) != "ping" {
					t.Errorf("the peer got %q", b[:n])
				}
				if err == nil {
					_, err = peer.WriteTo([]byte("pong"), from)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			n, from, err := c.ReadFromIP(b)
			if err != nil || !bytes.Equal(b[:n], []byte("pong")) || from.String() != "127.0.0.2" {
				t.Errorf("ReadFromIP = %q, %v, %v", b[:n], from, err)
			}
		})
	})
}

// What is no raw socket is refused, and a zero value says so.
func TestIPConnOfOthers(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		_, err = sock.Adopt[*sock.IPConn](l, udp, nil)
		if err == nil || !strings.Contains(err.Error(), "want a raw IP one") {
			t.Errorf("an IPConn of a UDP socket: %v", err)
		}
		if _, err := udp.WriteTo([]byte("x"), udp.LocalAddr()); err != nil {
			t.Errorf("the socket that was refused: %v", err)
		}
		raw := rawIP(t, "127.0.0.1")
		defer raw.Close()
		if _, err := sock.Adopt[*sock.PacketConn](l, raw, nil); err == nil {
			t.Error("a PacketConn was made of a raw socket")
		}
		var zero sock.IPConn
		for name, err := range map[string]error{"Close": zero.Close(), "Write": second(zero.Write(nil)),
			"WriteToIP": second(zero.WriteToIP(nil, &net.IPAddr{})), "Read": second(zero.Read(make([]byte, 1)))} {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s of a zero value: %v", name, err)
			}
		}
	})
}
