//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/cmsg"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// Loops of one Run share an address and get all of its datagrams between them; others
// are kept out, and so is the same loop twice.
func TestPacketShared(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 3
		s := servePacket(t, cfg, "udp", "127.0.0.1:0")
		addr := s.LocalAddr().String()
		conns := []*sock.PacketConn{s.PacketConn}
		for _, l := range s.Loop().Loops()[1:] {
			conns = append(conns, listenPacket(t, l, "udp", addr))
		}
		_, err := sock.ListenPacket(s.Loop(), "udp", addr)
		wantInUse := func(what string, err error) {
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%s: %v, want EADDRINUSE", what, err)
			}
		}
		wantInUse("the same loop twice", err)
		_, err = net.ListenPacket("udp", addr)
		wantInUse("package net", err)
		other := servePacket(t, ringo.Config{Loops: 1}, "udp", "127.0.0.1:0")
		_, err = sock.ListenPacket(other.Loop(), "udp", addr)
		wantInUse("another Run", err)

		var readers sync.WaitGroup
		count := make([]int, len(conns))
		for i, c := range conns {
			readers.Go(func() {
				p := make([]byte, 10)
				for {
					_, from, err := c.ReadFromUDPAddrPort(p)
					if err != nil {
						return
					}
					count[i]++
					c.WriteToUDPAddrPort(p, from)
				}
			})
		}
		const peers = 100
		for range peers {
			peer := dialUDP(t, addr)
			peer.Write([]byte("x"))
			if _, err := peer.Read(make([]byte, 10)); err != nil {
				t.Error(err)
			}
			peer.Close()
		}
		for _, c := range conns {
			c.Close()
		}
		readers.Wait()
		sum := 0
		for i, n := range count {
			if sum += n; n == 0 {
				t.Errorf("loop %d got nothing: %v", i, count)
			}
		}
		if sum != peers {
			t.Errorf("%d datagrams came of %d", sum, peers)
		}
		again := listenPacket(t, s.Loop(), "udp", addr) // the address is free again
		again.Close()
	})
}

// A queue is bounded, and what is dropped is counted. Who does not read is not woken
// for each datagram.
func TestPacketFlood(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
			if err := c.SetReadBuffer(128 << 10); err != nil { // hundreds of these datagrams
				t.Fatal(err)
			}
			const sent = 3000
			p := make([]byte, 100)
			c.SetReadDeadline(time.Now().Add(time.Millisecond)) // something is armed
			c.Read(p)
			c.SetReadDeadline(never)
			news := l.Stats().Driver.Completions
			offloaded(t, l, func() error {
				for i := range sent {
					if _, err := peer.Write(p); err != nil {
						return err
					}
					if i < 300 { // slow enough to be told of each
						time.Sleep(50 * time.Microsecond)
					}
				}
				return nil
			})
			if n := l.Stats().Driver.Completions - news; n > 50 {
				t.Errorf("%d completions for a flood that nobody reads", n)
			}
			drops, err := c.Drops()
			if err != nil {
				t.Fatal(err)
			}
			if drops == 0 || drops >= sent {
				t.Errorf("%d datagrams were dropped of %d", drops, sent)
			}
			for range sent - int(drops) {
				if n, err := c.Read(p); n != len(p) || err != nil {
					t.Fatalf("Read = %d, %v", n, err)
				}
			}
			offloaded(t, l, func() error { _, err := peer.Write([]byte("still there")); return err }) // and no other is
			if n, err := c.Read(p); string(p[:n]) != "still there" || err != nil {
				t.Errorf("after the flood: %q, %v", p[:n], err)
			}
		})
	})
}

// What the kernel cuts and what it joins is the same bytes.
func TestPacketSegments(t *testing.T) {
	anywhere(t, "udp", "127.0.0.1:0", func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		to := listenPacket(t, s.Loop(), "udp", "127.0.0.1:0")
		if err := to.SetReadBuffer(8 << 20); err != nil {
			t.Fatal(err)
		}
		if err := to.SetGRO(true); errors.Is(err, syscall.ENOPROTOOPT) {
			t.Skip("this kernel has no UDP_GRO, which came with 5.0")
		} else if err != nil {
			t.Fatal(err)
		}
		const size = 1200
		p := make([]byte, 100*size+77)
		pattern(p, 0)
		send := func() {
			t.Helper()
			do(func() {
				if n, err := s.WriteSegments(p, size, portOf(to)); n != len(p) || err != nil {
					t.Errorf("WriteSegments = %d, %v", n, err)
				}
			})
		}
		whole := func(what string, got []byte) {
			t.Helper()
			if !bytes.Equal(got, p) {
				t.Errorf("%s: %d bytes came of %d, or others", what, len(got), len(p))
			}
		}
		send()
		do(func() { // taken apart
			var got []byte
			b := make([]byte, 2000)
			for len(got) < len(p) {
				n, from, err := to.ReadFromUDPAddrPort(b)
				if err != nil || n > size || from != portOf(s) {
					t.Errorf("ReadFromUDPAddrPort = %d, %v, %v", n, from, err)
					return
				}
				got = append(got, b[:n]...)
			}
			whole("ReadFromUDPAddrPort", got)
		})
		send()
		joined := false
		do(func() { // as it came, behind some that another read took
			b, oob := make([]byte, 1<<16), make([]byte, sock.ControlMax)
			n, err := to.Read(b)
			got := bytes.Clone(b[:n])
			for err == nil && len(got) < len(p) {
				var oobn, flags int
				n, oobn, flags, _, err = to.ReadMsgUDPAddrPort(b, oob)
				if flags != 0 {
					t.Errorf("flags %#x", flags)
				}
				if segment := sock.ParseControl(oob[:oobn]).Segment; n > size && segment != size {
					t.Errorf("%d bytes came as one, of %d each", n, segment)
				}
				joined = joined || n > size
				got = append(got, b[:n]...)
			}
			if err != nil {
				t.Error(err)
			}
			whole("ReadMsgUDPAddrPort", got)
		})
		if wants := joinsSegments(t); joined != wants || !s.GSO() {
			t.Errorf("joined %v, want %v, GSO %v", joined, wants, s.GSO())
		}
		if n, err := s.WriteSegments(p, 0, portOf(to)); n != 0 || err == nil {
			t.Errorf("segments of no bytes: %d, %v", n, err)
		}
	})
}

// Segments that are too long for the kernel to cut are sent, or refused, as a Write's datagrams are.
func TestPacketSegmentsAsWrite(t *testing.T) {
	anywhere(t, "udp4", "127.0.0.1:0", func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		to := listenPacket(t, s.Loop(), "udp4", "127.0.0.1:0")
		defer to.Close()
		if err := to.SetReadBuffer(1 << 20); err != nil {
			t.Fatal(err)
		}
		const longest = 65507
		for _, size := range []int{32744, 65487, 65488, longest} {
			do(func() {
				if n, err := s.WriteSegments(make([]byte, size+7), size, portOf(to)); n != size+7 || err != nil {
					t.Errorf("segments of %d: %d, %v", size, n, err)
					return
				}
				for _, want := range []int{size, 7} {
					if n, err := to.Read(make([]byte, 1<<16)); n != want || err != nil {
						t.Errorf("segments of %d: read %d, %v, want %d", size, n, err, want)
					}
				}
			})
		}
		do(func() {
			p := make([]byte, longest+1)
			_, want := s.WriteToUDPAddrPort(p, portOf(to))
			for _, size := range []int{-1, 0, len(p), 1 << 20} {
				n, err := s.WriteSegments(p, size, portOf(to))
				var of *net.OpError
				if n != 0 || !errors.Is(err, posix.EMSGSIZE) || !errors.As(err, &of) {
					t.Errorf("segments of %d: %d, %v, want %v", size, n, err, want)
				} else if as := want.(*net.OpError); of.Op != as.Op || fmt.Sprint(of.Addr) != as.Addr.String() {
					t.Errorf("segments of %d: %v, want %v", size, err, want)
				}
			}
		})
	})
}

// joining is a kernel that does something before a call that has set UDP_GRO returns.
type joining struct {
	kernel.Kernel
	do func()
}

func (k joining) Setsockopt(fd int32, level, name, value int) int32 {
	res := k.Kernel.Setsockopt(fd, level, name, value)
	if level == cmsg.LevelUDP && name == cmsg.GRO && res >= 0 {
		k.do()
	}
	return res
}

// From the moment on at which datagrams may come joined, a task that waits for one takes them apart.
func TestPacketSegmentsWhileSetGRO(t *testing.T) {
	if !joinsSegments(t) {
		t.Skip("this kernel joins nothing on the loopback")
	}
	const size, most = 100, 10
	came, read := make(chan bool), make(chan bool)
	defer kernel.Through(joining{kernel.Process(), func() {
		came <- true
		<-read
	}})()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			to, from := listenPacket(t, l, "udp4", "127.0.0.1:0"), listenPacket(t, l, "udp4", "127.0.0.1:0")
			defer to.Close()
			defer from.Close()
			to.SetReadDeadline(socktest.Now(l).Add(patience.Max))
			l.Go(func() {
				for i := range most {
					n, err := to.Read(make([]byte, 3*size))
					if i == 0 {
						read <- true
					}
					if n != size || err != nil {
						t.Errorf("datagram %d: Read() = %d, %v, want %d", i, n, err, size)
						return
					}
				}
			})
			set := make(chan error, 1)
			go func() { set <- to.SetGRO(true) }()
			offloaded(t, l, func() error { <-came; return nil })
			if _, err := from.WriteSegments(make([]byte, most*size), size, portOf(to)); err != nil {
				t.Error(err)
			}
			offloaded(t, l, func() error { return <-set })
		})
	})
}

// joinsSegments reports whether the loopback gives what was sent as segments as one, as it does not on Linux 5.10.
func joinsSegments(t *testing.T) bool {
	t.Helper()
	const size = 1000
	to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := net.DialUDP("udp4", nil, to.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for c, name := range map[*net.UDPConn]int{to: unix.UDP_GRO, from: unix.UDP_SEGMENT} {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, name, size) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := from.Write(make([]byte, 3*size)); err != nil {
		t.Fatal(err)
	}
	n, err := to.Read(make([]byte, 4*size))
	if err != nil {
		t.Fatal(err)
	}
	return n > size
}

// Multicasts reach those who joined, through the interface that was named.
func TestPacketMulticast(t *testing.T) {
	for _, c := range []struct{ network, address, group string }{
		{"udp4", "0.0.0.0:0", "239.255.77.7"},
		{"udp6", "[::]:0", "ff01::7777"},
	} {
		t.Run(c.network, func(t *testing.T) {
			lo, err := net.InterfaceByName("lo")
			if err != nil {
				t.Skip(err)
			}
			group := netip.MustParseAddr(c.group)
			anywhere(t, c.network, c.address, func(t *testing.T, s *sock.PacketConn, do func(f func())) {
				do(func() {
					if err := s.JoinGroup(lo, netip.MustParseAddr("192.0.2.1")); err == nil {
						t.Error("joined what is no group")
					}
					for what, err := range map[string]error{
						"JoinGroup":             s.JoinGroup(lo, group),
						"SetMulticastInterface": s.SetMulticastInterface(lo),
						"SetMulticastTTL":       s.SetMulticastTTL(1),
						"SetMulticastLoopback":  s.SetMulticastLoopback(true),
					} {
						if err != nil {
							t.Errorf("%s: %v", what, err)
						}
					}
					to := netip.AddrPortFrom(group, portOf(s).Port())
					routed := true
					if _, err := s.WriteToUDPAddrPort([]byte("all"), to); err != nil {
						routed = false
						if group.Is4() || !noRoute(err) {
							t.Errorf("WriteToUDPAddrPort: %v", err)
						}
					}
					p := make([]byte, 10)
					s.SetReadDeadline(patience.Deadline())
					if routed {
						if n, _, err := s.ReadFrom(p); string(p[:n]) != "all" || err != nil {
							t.Errorf("ReadFrom = %q, %v", p[:n], err)
						}
					}
					if err := s.LeaveGroup(lo, group); err != nil {
						t.Errorf("LeaveGroup: %v", err)
					}
					if err := s.LeaveGroup(lo, group); !errors.Is(err, syscall.EADDRNOTAVAIL) {
						t.Errorf("LeaveGroup again: %v", err)
					}
				})
			})
		})
	}
}

// Without an interface the zone of a group says which is meant; one that there is not is an error.
func TestPacketGroupZone(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	group := netip.MustParseAddr("ff02::7777")
	anywhere(t, "udp6", "[::]:0", func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		do(func() {
			for _, zone := range []string{"lo", fmt.Sprint(lo.Index)} {
				if err := s.JoinGroup(nil, group.WithZone(zone)); err != nil {
					t.Errorf("JoinGroup of zone %s: %v", zone, err)
				}
				if err := s.LeaveGroup(lo, group); err != nil {
					t.Errorf("LeaveGroup behind one of zone %s: %v", zone, err)
				}
			}
			if err := s.JoinGroup(lo, group.WithZone("nosuch")); err != nil {
				t.Errorf("JoinGroup with an interface: %v", err)
			}
			if err := s.LeaveGroup(nil, group.WithZone("lo")); err != nil {
				t.Errorf("LeaveGroup of a zone: %v", err)
			}
			for _, zone := range []string{"nosuch", "4294967296"} {
				var wrong *net.AddrError
				if err := s.JoinGroup(nil, group.WithZone(zone)); !errors.As(err, &wrong) {
					t.Errorf("JoinGroup of zone %s: %v", zone, err)
				}
			}
		})
	})
}

// The sender in a batch has its zone by name, whether the datagram was fetched before or not, and can be answered.
func TestPacketBatchZone(t *testing.T) {
	local := linkLocal(t)
	at := netip.AddrPortFrom(local, 0).String()
	anywhere(t, "udp6", at, func(t *testing.T, s *sock.PacketConn, do func(f func())) {
		peer := dialUDP(t, s.LocalAddr().String())
		defer peer.Close()
		from := peer.LocalAddr().(*net.UDPAddr).AddrPort()
		if from.Addr() != local {
			t.Skipf("the peer is at %v", from)
		}
		for range 3 {
			if _, err := peer.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		do(func() {
			for range 3 { // of which the first may fetch the others
				m := []sock.Message{{Buffers: [][]byte{make([]byte, 1)}}}
				if n, err := s.ReadBatch(m); n != 1 || err != nil || m[0].Addr != from {
					t.Errorf("%d of %v, %v, want 1 of %v", n, m[0].Addr, err, from)
				}
			}
			peer.Write([]byte("xx"))
			if _, ap, err := s.ReadFromUDPAddrPort(make([]byte, 2)); ap != from || err != nil {
				t.Errorf("of %v, %v, want %v", ap, err, from)
			}
			for range 2 {
				peer.Write([]byte("y"))
			}
			s.Read(make([]byte, 1)) // fetches both where there is memory for it
			m := []sock.Message{{Buffers: [][]byte{make([]byte, 1)}, Addr: from}}
			if n, err := s.ReadBatch(m); n != 1 || err != nil || m[0].Addr != from {
				t.Errorf("behind a read: %d of %v, %v, want 1 of %v", n, m[0].Addr, err, from)
			}
			if n, err := s.WriteBatch(m); n != 1 || err != nil {
				t.Errorf("an answer: %d, %v", n, err)
			}
		})
		if n, err := peer.Read(make([]byte, 9)); n != 1 || err != nil {
			t.Errorf("the peer reads %d bytes, %v", n, err)
		}
	})
}

// noRoute tells the errors of multicasts of IPv6 through lo, which as a rule has no route for them, and may have no
// address to send from.
func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// A socket of a multicast address is that of package net: of all addresses, at a port that several may have, and what
// is sent to a group reaches each of them that has joined it.
func TestListenOnGroup(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range []struct{ network, address, group string }{
			{"udp", "239.255.77.7:0", "239.255.77.7"},
			{"udp4", "239.255.77.7:0", "239.255.77.7"},
			{"udp", "[ff02::7777]:0", "ff02::7777"},
			{"udp6", "[ff02::7777]:0", "ff02::7777"},
		} {
			t.Run(c.network+" "+c.group, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					want, err := net.ListenPacket(c.network, c.address)
					if err != nil {
						t.Skip(err)
					}
					defer want.Close()
					host, _, _ := net.SplitHostPort(c.address)
					port := want.LocalAddr().(*net.UDPAddr).Port
					address := net.JoinHostPort(host, strconv.Itoa(port))
					var all []*sock.PacketConn
					for range 2 {
						s, err := sock.ListenPacket(l, c.network, address)
						if err != nil {
							t.Fatalf("a port that others have: %v", err)
						}
						defer s.Close()
						if got := s.LocalAddr().String(); got != want.LocalAddr().String() {
							t.Errorf("LocalAddr is %s, package net's %s", got, want.LocalAddr())
						}
						group := netip.MustParseAddr(c.group)
						if err := s.JoinGroup(lo, group); err != nil {
							t.Fatal(err)
						}
						all = append(all, s)
					}
					any := ":" + strconv.Itoa(port)
					if _, err := sock.ListenPacket(l, c.network, any); !errors.Is(err, syscall.EADDRINUSE) {
						t.Errorf("a socket that is no group's, at the same port: %v", err)
					}
					if err := all[0].SetMulticastInterface(lo); err != nil {
						t.Fatal(err)
					}
					to := netip.AddrPortFrom(netip.MustParseAddr(c.group), uint16(port))
					if _, err := all[0].WriteToUDPAddrPort([]byte("all"), to); err != nil {
						if to.Addr().Is4() || !noRoute(err) {
							t.Errorf("WriteToUDPAddrPort: %v", err)
						}
						return
					}
					for i, s := range all {
						p := make([]byte, 10)
						s.SetReadDeadline(patience.Deadline())
						if n, _, err := s.ReadFrom(p); string(p[:n]) != "all" || err != nil {
							t.Errorf("socket %d: ReadFrom = %q, %v", i, p[:n], err)
						}
					}
				})
			})
		}
	})
}

// Unix sockets of datagrams: names and descriptors.
func TestUnixgram(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		s := servePacket(t, cfg, "udp", "127.0.0.1:0")
		l := s.Loop()
		for _, from := range kindsOfCallers {
			for kind, name := range map[string]string{"path": socketPath(t), "abstract": abstractName()} {
				t.Run(from+", "+kind, func(t *testing.T) { startAs(from, l).run(func() { unixgramTalk(t, l, name) }) })
			}
		}
	})
}

func unixgramTalk(t *testing.T, l *ringo.Loop, name string) {
	c, err := sock.ListenUnixgram(l, name)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() {
		c.Close()
		if _, err := os.Lstat(name); !strings.HasPrefix(name, "@") && err == nil {
			t.Error("the file is still there")
		}
	}()
	if _, err := sock.ListenUnixgram(l, name); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the name twice: %v", err)
	}
	d := sock.Dialer{LocalAddr: &net.UnixAddr{Name: name + "2", Net: "unixgram"}}
	peer, err := d.DialUnixgram(l, name)
	if err != nil {
		t.Error(err)
		return
	}
	defer peer.Close()
	nameless, err := sock.DialUnixgram(l, name)
	if err != nil {
		t.Error(err)
		return
	}
	defer nameless.Close()

	p, oob := make([]byte, 10), make([]byte, 100)
	check := func(what string, n int, err error, want string) {
		t.Helper()
		if err != nil || string(p[:n]) != want {
			t.Errorf("%s = %q, %v, want %q", what, p[:n], err, want)
		}
	}
	peer.Write([]byte("one"))
	n, from, err := c.ReadFrom(p)
	check("ReadFrom", n, err, "one")
	if from.String() != name+"2" || from.Network() != "unixgram" {
		t.Errorf("from %v", from)
	}
	_, err = c.WriteTo([]byte("two"), from)
	if err != nil {
		t.Error(err)
	}
	n, err = peer.Read(p)
	check("Read", n, err, "two")
	nameless.Write(nil)
	if n, from, err := c.ReadFrom(p); n != 0 || from != nil || err != nil {
		t.Errorf("of a socket without a name: %d, %v, %v", n, from, err)
	}
	peer.Write([]byte("too long for this"))
	n, _, flags, _, err := c.ReadMsgUnix(p, oob)
	check("ReadMsgUnix", n, err, "too long f")
	if flags != syscall.MSG_TRUNC {
		t.Errorf("flags %#x", flags)
	}

	rights := syscall.UnixRights(0, 1)
	if n, oobn, err := nameless.WriteMsgUnix([]byte("fds"), rights, nil); n != 3 || oobn != len(rights) || err != nil {
		t.Errorf("WriteMsgUnix = %d, %d, %v", n, oobn, err)
	}
	n, oobn, _, _, err := c.ReadMsgUnix(p, oob)
	check("ReadMsgUnix", n, err, "fds")
	msgs, _ := syscall.ParseSocketControlMessage(oob[:oobn])
	if len(msgs) == 1 {
		fds, _ := syscall.ParseUnixRights(&msgs[0])
		for _, fd := range fds {
			if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD,
				0); flags != syscall.FD_CLOEXEC {
				t.Errorf("descriptor %d: flags %#x", fd, flags)
			}
			syscall.Close(fd)
		}
		if len(fds) != 2 {
			t.Errorf("%d descriptors came", len(fds))
		}
	} else {
		t.Errorf("%d control messages", len(msgs))
	}
	nameless.WriteMsgUnix([]byte("lost"), rights, nil) // which the leak gate would find
	n, err = c.Read(p)
	check("Read", n, err, "lost")
}

// A sender without a name is nil, also one that the socket is connected to, and so is that of a read that fails.
func TestUnixgramSender(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			const kind = syscall.SOCK_DGRAM | syscall.SOCK_CLOEXEC | syscall.SOCK_NONBLOCK
			two, err := syscall.Socketpair(syscall.AF_UNIX, kind, 0)
			if err != nil {
				t.Fatal(err)
			}
			var ends [2]*sock.UnixPacketConn
			for i, fd := range two {
				f := os.NewFile(uintptr(fd), "pair")
				if ends[i], err = sock.Adopt[*sock.UnixPacketConn](l, f, nil); err != nil {
					t.Fatal(err)
				}
				defer ends[i].Close()
			}
			ln, err := sock.ListenUnixgram(l, abstractName())
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			named, err := sock.DialUnixgram(l, ln.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer named.Close()
			ends[0].Write([]byte("x"))
			ends[0].Write([]byte("x"))
			if _, from, err := ends[1].ReadFrom(make([]byte, 1)); from != nil || err != nil {
				t.Errorf("ReadFrom() of a pair: from %#v, %v", from, err)
			}
			if _, _, _, from, err := ends[1].ReadMsgUnix(make([]byte, 1), nil); from != nil || err != nil {
				t.Errorf("ReadMsgUnix() of a pair: from %#v, %v", from, err)
			}
			named.SetReadDeadline(time.Unix(1, 0))
			if _, from, err := named.ReadFrom(make([]byte, 1)); from != nil || err == nil {
				t.Errorf("ReadFrom() that fails: from %#v, %v", from, err)
			}
			if _, _, _, from, err := named.ReadMsgUnix(make([]byte, 1), nil); from != nil || err == nil {
				t.Errorf("ReadMsgUnix() that fails: from %#v, %v", from, err)
			}
		})
	})
}

// Who asks one function for the networks of another is told which that is.
func TestNetworksOfOthers(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		for _, c := range []struct {
			network string
			call    func(network string) error
			want    string
		}{
			{"udp", func(n string) error { _, err := sock.Listen(l, n, ":0"); return err }, "ListenPacket"},
			{"unixgram", func(n string) error { _, err := sock.Dial(l, n, "@x"); return err }, "DialUnixgram"},
			{"unixgram", func(n string) error { _, err := sock.Listen(l, n, "@x"); return err }, "ListenUnixgram"},
			{"tcp", func(n string) error { _, err := sock.ListenPacket(l, n, ":0"); return err }, "see Listen"},
			{"unixgram", func(n string) error { _, err := sock.DialPacket(l, n, "@x"); return err }, "DialUnixgram"},
			{"ip", func(n string) error {
				_, err := sock.DialPacket(l, n, "127.0.0.1")
				return err
			}, "unknown network ip"},
		} {
			if err := c.call(c.network); !errors.As(err, new(net.UnknownNetworkError)) ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v; want %q in it", c.network, err, c.want)
			}
		}
	})
}

// A file of the socket is another way to its datagrams, and outlives it.
func TestPacketFile(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
			f, err := c.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD,
				0); flags&syscall.FD_CLOEXEC == 0 {
				t.Error("the descriptor is not close-on-exec")
			}
			c.Close()
			if _, err := c.File(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("File of a closed socket: %v", err)
			}
			peer.Write([]byte("late"))
			onGoroutine(t, l, func() {
				other, err := net.FilePacketConn(f)
				if err != nil {
					t.Error(err)
					return
				}
				defer other.Close()
				other.SetReadDeadline(patience.Deadline())
				p := make([]byte, 16)
				if n, _, err := other.ReadFrom(p); err != nil || string(p[:n]) != "late" {
					t.Errorf("read %q, %v", p[:n], err)
				}
			})
		})
	})
}

// An interface that can't cut is found out: the datagrams go one by one, each once, and the socket remembers. A size
// that can't be cut is no such interface.
func TestPacketSegmentsUncut(t *testing.T) {
	const count, size = 10, 100
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, errno := range []posix.Errno{posix.EIO, posix.EINVAL, posix.EPERM} {
			t.Run(errno.Error(), func(t *testing.T) {
				s := new(spoiler)
				spoiled(t, cfg, s, func(l *ringo.Loop) {
					from, to := listenPacket(t, l, "udp", "127.0.0.1:0"), listenPacket(t, l, "udp", "127.0.0.1:0")
					defer from.Close()
					defer to.Close()
					s.fail(errno, 1<<30, op.Sendmsg) // what is cut; what is plain goes by sendto
					p := make([]byte, count*size-50)
					for range 3 {
						n, err := from.WriteSegments(p, size, portOf(to))
						if errno == posix.EPERM {
							if !errors.Is(err, errno) {
								t.Errorf("WriteSegments = %d, %v, want %v", n, err, errno)
							}
							return
						}
						if n != len(p) || err != nil {
							t.Fatalf("WriteSegments = %d, %v", n, err)
						}
					}
					for i := range 3 * count {
						if n, err := to.Read(p); n != size-50*(i%count/(count-1)) || err != nil {
							t.Errorf("datagram %d has %d bytes, %v", i, n, err)
						}
					}
					to.SetReadDeadline(time.Now().Add(time.Millisecond))
					if n, err := to.Read(p); err == nil {
						t.Errorf("%d bytes more", n)
					}
					if gso := from.GSO(); gso != (errno == posix.EINVAL) {
						t.Errorf("GSO is %v", gso)
					}
				})
			})
		}
	})
}

// A batch that finds no room goes on when there is some, message by message, and an empty datagram of it goes out once.
func TestPacketBatchWithoutRoom(t *testing.T) {
	want := []string{"", "one", "", "two", "end"}
	fails := map[string]int32{"task": 3, "goroutine": 1} // which is told once that there is room
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, by := range callers {
			t.Run(by.name, func(t *testing.T) {
				s := new(spoiler)
				spoiled(t, cfg, s, func(l *ringo.Loop) {
					c := listenPacket(t, l, "udp", "127.0.0.1:0")
					defer c.Close()
					peer := dialUDP(t, c.LocalAddr().String())
					defer peer.Close()
					s.fail(posix.EAGAIN, fails[by.name], op.Sendmmsg)
					if err := by.run(l, func() error {
						var ms []sock.Message
						for _, text := range want {
							ms = append(ms, sock.Message{Buffers: [][]byte{[]byte(text)}, Addr: portOf(peer)})
						}
						n, err := c.WriteBatch(ms)
						if n != len(ms) {
							t.Errorf("WriteBatch: %d", n)
						}
						return err
					})(); err != nil {
						t.Error(err)
					}
					if s.faults.failed.Load() != fails[by.name] {
						t.Error("the batch found room")
					}
					var got []string
					offloaded(t, l, func() error {
						for p := make([]byte, 8); ; {
							n, err := peer.Read(p)
							if got = append(got, string(p[:n])); string(p[:n]) == "end" || err != nil {
								return err
							}
						}
					})
					if !slices.Equal(got, want) {
						t.Errorf("%q came, want %q", got, want)
					}
				})
			})
		}
	})
}

// A batch of an IPv4 socket takes its addresses in both ways of writing them, by tasks and goroutines, and stops at one
// of IPv6.
func TestWriteBatchMapped(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			c, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			port := c.LocalAddr().(*net.UDPAddr).Port
			send := func(context.Context) error {
				var ms []sock.Message
				for _, ip := range []string{"127.0.0.1", "::ffff:127.0.0.1", "::1"} {
					to := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(port))
					ms = append(ms, sock.Message{Buffers: [][]byte{[]byte(ip)}, Addr: to})
				}
				var wrong *net.AddrError
				if n, err := c.WriteBatch(ms); n != 2 || !errors.As(err, &wrong) {
					t.Errorf("WriteBatch = %d, %v, want the two of IPv4 and a *net.AddrError", n, err)
				}
				for _, m := range ms[:2] {
					p := make([]byte, 100)
					n, from, err := c.ReadFromUDPAddrPort(p)
					if want := string(m.Buffers[0]); err != nil || string(p[:n]) != want || !from.Addr().Is4() {
						t.Errorf("%q came from %v, %v, want %q", p[:n], from, err, want)
					}
				}
				return nil
			}
			c.SetReadDeadline(patience.Deadline())
			send(context.Background())
			if err := l.Offload(send); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// A socket that leaves takes along what was fetched and not read; what comes then the new one reads, and who waited is
// told that it is closed.
func TestDetachUDP(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, detach := range map[string]func(c *sock.PacketConn) (*net.UDPConn, []sock.Message, error){
			"Detach": func(c *sock.PacketConn) (*net.UDPConn, []sock.Message, error) {
				fd, unread, err := c.Detach()
				if err != nil {
					return nil, nil, err
				}
				f := os.NewFile(uintptr(fd), "detached")
				defer f.Close()
				pc, err := net.FilePacketConn(f)
				if err != nil {
					return nil, nil, err
				}
				return pc.(*net.UDPConn), unread, nil
			},
			"DetachUDP": (*sock.PacketConn).DetachUDP,
		} {
			for _, by := range []string{"task", "goroutine", "a reader waits"} {
				t.Run(name+"/"+by, func(t *testing.T) {
					onPacket(t, cfg, func(l *ringo.Loop, c *sock.PacketConn, peer *net.UDPConn) {
						const sent = 4
						for i := range sent {
							peer.Write([]byte{byte(i)})
						}
						p := make([]byte, 8)
						if n, err := c.Read(p); n != 1 || p[0] != 0 || err != nil {
							t.Fatalf("Read = %d of %d, %v", n, p[0], err)
						}
						at := 1
						var waiter *ringo.Task
						if by == "a reader waits" {
							for ; at < sent; at++ {
								c.Read(p)
							}
							waiter = l.Go(func() {
								if _, err := c.Read(make([]byte, 8)); !errors.Is(err, net.ErrClosed) {
									t.Errorf("who waited: %v, want net.ErrClosed", err)
								}
							})
							others(l)
						}
						var conn *net.UDPConn
						var unread []sock.Message
						var err error
						if by == "goroutine" {
							offloaded(t, l, func() error { conn, unread, err = detach(c); return nil })
						} else {
							conn, unread, err = detach(c)
						}
						if err != nil {
							t.Fatal(err)
						}
						defer conn.Close()
						if waiter != nil {
							waiter.Wait()
						}
						for _, m := range unread {
							if m.N != 1 || m.Buffers[0][0] != byte(at) || m.Addr != portOf(peer) {
								t.Errorf("%d bytes, %v from %v, want datagram %d from %v", m.N, m.Buffers, m.Addr, at,
									portOf(peer))
							}
							at++
						}
						peer.Write([]byte{sent})
						conn.SetDeadline(patience.Deadline())
						offloaded(t, l, func() error {
							for ; at <= sent; at++ {
								n, from, err := conn.ReadFromUDPAddrPort(p)
								if err != nil || n != 1 || p[0] != byte(at) || from != portOf(peer) {
									return fmt.Errorf("%d bytes, %d from %v, want %d: %w", n, p[0], from, at, err)
								}
							}
							return nil
						})
						if _, err := c.Read(p); !errors.Is(err, net.ErrClosed) {
							t.Errorf("Read of what is detached: %v", err)
						}
						if _, _, err := c.Detach(); !errors.Is(err, net.ErrClosed) {
							t.Errorf("Detach of what is detached: %v", err)
						}
					})
				})
			}
		}
	})
}
