//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/sys"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// eachDialer runs f for each driver, and dials from a task and from a goroutine.
func eachDialer(t *testing.T,
	f func(t *testing.T, l *ringo.Loop, dial func(d sock.Dialer, network, address string) (*sock.Conn, error))) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, who := range callers {
			t.Run(who.name, func(t *testing.T) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					f(t, l, func(d sock.Dialer, network, address string) (c *sock.Conn, err error) {
						err = bare(who, l, func() (err error) { c, err = d.Dial(l, network, address); return err })()
						return c, err
					})
				})
			})
		}
	})
}

// A socket can come to be connected to itself, if the port that it dials is the one
// that it is given. A dial does not give such a connection for a server.
func TestNetSelfConnect(t *testing.T) {
	eachDialer(t, func(t *testing.T, l *ringo.Loop, dial func(sock.Dialer, string, string) (*sock.Conn, error)) {
		// Control binds the socket to the address that is dialled, as chance would. Once
		// only: the second try has a port of its own, and is refused.
		tries := 0
		d := sock.Dialer{Control: func(_, address string, c syscall.RawConn) error {
			var err error
			if tries++; tries == 1 {
				to := socktest.Sockaddr(netip.MustParseAddrPort(address))
				c.Control(func(fd uintptr) { err = syscall.Bind(int(fd), to) })
			}
			return err
		}}
		c, err := dial(d, "tcp", freeAddr(t))
		if err == nil {
			t.Errorf("the dial gave %v to %v", c.LocalAddr(), c.RemoteAddr())
			c.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || tries != 2 {
			t.Errorf("the dial tried %d times and gave %v, want ECONNREFUSED at the second", tries, err)
		}
	})
}

// A program may dial itself from a port of its choice: that is no chance, and gives a connection, as in package net.
func TestNetSelfConnectAsked(t *testing.T) {
	eachDialer(t, func(t *testing.T, l *ringo.Loop, dial func(sock.Dialer, string, string) (*sock.Conn, error)) {
		own := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(freeAddr(t)))
		c, err := dial(sock.Dialer{LocalAddr: own}, "tcp", own.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p := make([]byte, 5)
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
			t.Errorf("read %q, %v", p, err)
		}
	})
}

// A dial that fails for lack of a local address tries as often as package net's.
func TestNetDialAgain(t *testing.T) {
	eachDialer(t, func(t *testing.T, l *ringo.Loop, dial func(sock.Dialer, string, string) (*sock.Conn, error)) {
		for _, port := range []int{0, 1234} {
			foreign := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} // of nobody, RFC 5737
			tries := 0
			count := func(string, string, syscall.RawConn) error { tries++; return nil }
			_, want := (&net.Dialer{LocalAddr: foreign, Control: count}).Dial("tcp", "127.0.0.1:1")
			wanted := tries
			tries = 0
			_, err := dial(sock.Dialer{LocalAddr: foreign, Control: count}, "tcp", "127.0.0.1:1")
			if fmt.Sprint(err) != fmt.Sprint(want) || tries != wanted {
				t.Errorf("from port %d: %d tries and %v, want %d and %v", port, tries, err, wanted, want)
			}
		}
	})
}

// A link-local address needs its zone, which addresses then show.
func TestNetZone(t *testing.T) {
	addr := linkLocal(t)
	eachDialer(t, func(t *testing.T, l *ringo.Loop, dial func(sock.Dialer, string, string) (*sock.Conn, error)) {
		ln, err := sock.Listen(l, "tcp", net.JoinHostPort(addr.String(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var plain net.ListenConfig
		plain.SetMultipathTCP(false) // such a socket does not know its zone
		std, err := plain.Listen(context.Background(), "tcp", net.JoinHostPort(addr.String(), "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer std.Close()
		if got, want := ln.Addr().(*net.TCPAddr).Zone, std.Addr().(*net.TCPAddr).Zone; got != want {
			t.Errorf("Addr() has zone %q, want %q", got, want)
		}
		c, err := dial(sock.Dialer{}, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		peer, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		if c.RemoteAddr().String() != ln.Addr().String() || peer.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("%v to %v, and back %v to %v", c.LocalAddr(), c.RemoteAddr(), peer.LocalAddr(), peer.RemoteAddr())
		}
	})
}

// linkLocal finds an address of this machine with a zone, or skips.
func linkLocal(t *testing.T) netip.Addr {
	t.Helper()
	ifis, err := net.Interfaces()
	if err != nil {
		t.Skip(err)
	}
	for _, ifi := range ifis {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if !ok || !ipnet.IP.IsLinkLocalUnicast() || ipnet.IP.To4() != nil {
				continue
			}
			addr, _ := netip.AddrFromSlice(ipnet.IP)
			addr = addr.WithZone(ifi.Name)
			ln, err := net.Listen("tcp", net.JoinHostPort(addr.String(), "0"))
			if err == nil {
				ln.Close()
				return addr
			}
		}
	}
	t.Skip("no interface has a link-local address of IPv6 that can be listened on")
	return netip.Addr{}
}

// addressless is a kernel that has IPv6, and no interface an address of it: that is what the sysctl disable_ipv6 does.
type addressless struct{ kernel.Kernel }

func (k addressless) Bind(fd int32, to *sys.Sockaddr) int32 {
	if to.AddrPort().Addr() == netip.IPv6Loopback() {
		return -sys.EADDRNOTAVAIL
	}
	return k.Kernel.Bind(fd, to)
}

// All addresses are those of both families where an interface may yet get its first of IPv6, as for package net.
func TestNetDualStackWithoutAddresses(t *testing.T) {
	if !haveIPv6() {
		t.Skip("no IPv6 on the loopback")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		defer kernel.Through(addressless{kernel.Process()})()
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := sock.Listen(l, "tcp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			c, err := sock.ListenPacket(l, "udp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, a := range []net.Addr{ln.Addr(), c.LocalAddr()} {
				if !strings.HasPrefix(a.String(), "[::]:") {
					t.Errorf("%s: it listens at %s", a.Network(), a)
				}
			}
		})
	})
}

// With SO_REUSEPORT set by Control, as programs do with net.ListenConfig, others may
// share a port with us and we with them.
func TestNetReusePort(t *testing.T) {
	reuse := func(_, _ string, c syscall.RawConn) error {
		var err error
		c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) })
		return err
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			std, err := (&net.ListenConfig{Control: reuse}).Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer std.Close()
			shared := &sock.ListenConfig{AllowShared: true}
			ln, err := shared.Listen(l, "tcp", std.Addr().String())
			if err != nil {
				t.Fatalf("Listen beside package net: %v", err)
			}
			defer ln.Close()
			other, err := (&net.ListenConfig{Control: reuse}).Listen(context.Background(), "tcp", ln.Addr().String())
			if err != nil {
				t.Fatalf("package net beside us: %v", err)
			}
			other.Close()
			set, err := shared.Reserve("tcp", ln.Addr().String())
			if err != nil {
				t.Fatalf("Reserve beside one that shares: %v", err)
			}
			set.Close()
			_, err = sock.Reserve("tcp", ln.Addr().String())
			wantInUse(t, "Reserve that does not share", err)
			_, err = net.Listen("tcp", ln.Addr().String())
			wantInUse(t, "package net, which does not share", err)
		})
	})
}

const soReusePort = 15

// Each half closes alone. The end is io.EOF, bare, again and again.
func TestNetHalfClose(t *testing.T) {
	eachSubject(t, func(s *subject) {
		end := func() {
			s.Helper()
			for range 2 {
				if err := s.waits(func() error { return read(s.c) }); err != io.EOF {
					s.Errorf("Read at the end: %v, want io.EOF itself", err)
				}
			}
		}
		s.must("Write", s.waits(func() error { return write(s.c) }))
		s.must("CloseWrite", s.act(s.c.CloseWrite))
		s.must("what the peer reads", s.offloaded(func() error {
			if all, err := io.ReadAll(s.peer); err != nil || string(all) != "x" {
				return fmt.Errorf("the peer reads %q, %v", all, err)
			}
			return nil
		}))
		s.wantIs("Write after CloseWrite", s.waits(func() error { return write(s.c) }), syscall.EPIPE)
		s.sends("still")
		s.reads("after CloseWrite", "still")
		s.must("the peer's end", s.peer.CloseWrite())
		end()
	})
	eachSubject(t, func(s *subject) {
		reading := s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("CloseRead", s.act(s.c.CloseRead))
		if err := reading(); err != io.EOF {
			s.Errorf("Read under CloseRead: %v, want io.EOF itself", err)
		}
		s.must("Write after CloseRead", s.waits(func() error { return write(s.c) }))
	})
}

// A write that waits hears of a reset.
func TestNetResetDuringWrite(t *testing.T) {
	eachSubject(t, func(s *subject) {
		writing := s.block()
		reset(s.peer)
		n, err := writing()
		s.wantIs("Write", err, syscall.ECONNRESET)
		if n == 0 {
			s.Error("Write counted nothing")
		}
	})
}

// Options reach the socket, whoever sets them.
func TestNetOptions(t *testing.T) {
	eachSubject(t, func(s *subject) {
		option := func(level, name, want int) {
			s.Helper()
			if got, err := syscall.GetsockoptInt(number(s.c.(syscall.Conn)), level, name); got != want || err != nil {
				s.Errorf("option %d of level %d is %d, %v, want %d", name, level, got, err, want)
			}
		}
		option(syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9)
		s.must("SetKeepAliveConfig", s.act(func() error {
			return s.c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second,
				Interval: 2500 * time.Millisecond, Count: 4})
		}))
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 7)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 3)
		option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4)
		s.must("SetKeepAliveConfig", s.act(func() error { return s.c.SetKeepAliveConfig(net.KeepAliveConfig{}) }))
		option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0)
		s.must("SetNoDelay", s.act(func() error { return s.c.SetNoDelay(false) }))
		option(syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0)
		s.must("SetReadBuffer", s.act(func() error { return s.c.SetReadBuffer(20_000) }))
		option(syscall.SOL_SOCKET, syscall.SO_RCVBUF, 40_000) // the kernel doubles it
	})
}

// Keep-alive probes are as with package net, whatever the two fields say, of what is dialled and of what is accepted.
func TestKeepAliveFields(t *testing.T) {
	for name, c := range map[string]struct {
		idle   time.Duration
		config net.KeepAliveConfig
	}{
		"zero": {},
		"idle": {idle: 77 * time.Second},
		"off":  {idle: -1},
		"config": {config: net.KeepAliveConfig{Enable: true, Idle: 9 * time.Second, Interval: 3 * time.Second,
			Count: 4}},
		"config alone": {idle: -1, config: net.KeepAliveConfig{Enable: true, Idle: 1500 * time.Millisecond}},
		"left":         {config: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}},
		"not enabled":  {idle: 8 * time.Second, config: net.KeepAliveConfig{Idle: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			lc := net.ListenConfig{KeepAlive: c.idle, KeepAliveConfig: c.config}
			std, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer std.Close()
			peer, err := (&net.Dialer{KeepAlive: c.idle, KeepAliveConfig: c.config}).Dial("tcp", std.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			other, err := std.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			want, wantDialled := optionsOf(t, other), optionsOf(t, peer)
			onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
				lc := sock.ListenConfig{KeepAlive: c.idle, KeepAliveConfig: c.config}
				ln, err := lc.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				d := sock.Dialer{KeepAlive: c.idle, KeepAliveConfig: c.config}
				dialled, err := d.Dial(l, "tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer dialled.Close()
				accepted, err := ln.AcceptTCP()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				if got := optionsOf(t, accepted); got != want {
					t.Errorf("accepted:\n got %s\nwant %s", got, want)
				}
				if got := optionsOf(t, dialled); got != wantDialled {
					t.Errorf("dialled:\n got %s\nwant %s", got, wantDialled)
				}
			})
		})
	}
}

type contextKey struct{}

// ControlContext goes before Control, and knows the context where there is one.
func TestControlContext(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		var seen []string
		d := sock.Dialer{
			Control: func(string, string, syscall.RawConn) error { return errors.New("Control was called") },
			ControlContext: func(ctx context.Context, network, _ string, _ syscall.RawConn) error {
				word, _ := ctx.Value(contextKey{}).(string)
				seen = append(seen, network+word)
				return nil
			},
		}
		ln := listen(t, l)
		defer ln.Close()
		ctx := context.WithValue(context.Background(), contextKey{}, " known")
		c, err := d.DialContext(ctx, l, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		p, err := d.DialPacket(l, "udp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if len(seen) != 2 || seen[0] != "tcp4 known" || seen[1] != "udp4" {
			t.Errorf("ControlContext was called with %q", seen)
		}
	})
}

// Dialer.Deadline ends a dial, also where Timeout would leave it more time.
func TestDialerDeadline(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		ln := listen(t, l)
		defer ln.Close()
		d := sock.Dialer{Deadline: time.Now().Add(-time.Second), Timeout: time.Hour}
		_, err := d.Dial(l, "tcp", ln.Addr().String())
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Dial behind its deadline: %v, want a timeout", err)
		}
		d = sock.Dialer{Deadline: time.Now().Add(time.Hour), Timeout: 1<<63 - 1}
		c, err := d.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatalf("Dial before its deadline: %v", err)
		}
		c.Close()
	})
}

// A listener whose deadline has passed accepts nobody, as package net's; whoever has come is still there.
func TestListenerDeadlinePassed(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			peers := []net.Conn{dial(t, ln.Addr().String()), dial(t, ln.Addr().String())}
			for _, who := range []func(func()){
				func(f func()) { f() },
				func(f func()) { l.Offload(func(context.Context) error { f(); return nil }) },
			} {
				who(func() {
					if err := ln.SetDeadline(time.Now().Add(-time.Second)); err != nil {
						t.Error(err)
					}
					for range 2 {
						_, err := ln.Accept()
						var timeout net.Error
						if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
							t.Errorf("Accept behind the deadline: %v, want a timeout", err)
						}
					}
					if err := ln.SetDeadline(time.Time{}); err != nil {
						t.Error(err)
					}
					c, err := ln.Accept()
					if err != nil {
						t.Errorf("Accept of a peer that has come: %v", err)
						return
					}
					c.Close()
				})
			}
			for _, c := range peers {
				c.Close()
			}
		})
	})
}

// The words that net's listeners have for Accept are for their networks.
func TestAcceptOfAnotherNetwork(t *testing.T) {
	onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
		ln := listen(t, l)
		defer ln.Close()
		if _, err := ln.AcceptUnix(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("AcceptUnix of a TCP listener: %v, want errors.ErrUnsupported", err)
		}
		unix, err := sock.Listen(l, "unix", "@ringo-"+t.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close()
		if _, err := unix.AcceptTCP(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("AcceptTCP of a Unix listener: %v, want errors.ErrUnsupported", err)
		}
	})
}

// Ours are asked for by both ends, and known by both.
func TestMultipathTCPOfOurs(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, multi := range []bool{true, false} {
				ln, err := (&sock.ListenConfig{MultipathTCP: multi}).Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				c, err := (&sock.Dialer{MultipathTCP: true}).Dial(l, "tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				peer, err := ln.AcceptTCP()
				if err != nil {
					t.Fatal(err)
				}
				want := multi && hasMultipathTCP()
				for name, c := range map[string]*sock.Conn{"dialled": c, "accepted": peer} {
					if got, err := c.MultipathTCP(); got != want || err != nil {
						t.Errorf("%s, asked for %v: %v, %v, want %v", name, multi, got, err, want)
					}
				}
				msg := make([]byte, 1<<20)
				pattern(msg, 0)
				write := l.Go(func() { c.Write(msg); c.CloseWrite() })
				got, err := io.ReadAll(peer)
				if err != nil || !bytes.Equal(got, msg) {
					t.Errorf("%d bytes came, %v", len(got), err)
				}
				write.Wait()
				c.Close()
				peer.Close()
				ln.Close()
			}
		})
	})
}

// hasMultipathTCP asks whether the kernel makes such sockets, and can tell whether they are in use (Linux 5.16).
func hasMultipathTCP() bool {
	const protoMPTCP, solMPTCP, mptcpInfo = 262, 284, 1
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, protoMPTCP)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	_, err = unix.GetsockoptInt(fd, solMPTCP, mptcpInfo)
	return err != unix.EOPNOTSUPP && err != unix.ENOPROTOOPT
}

// A connection of Multipath TCP that comes from package net is known as one, and one of ours is none.
func TestMultipathTCP(t *testing.T) {
	lc := new(net.ListenConfig)
	lc.SetMultipathTCP(true)
	std, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	for _, multi := range []bool{true, false} {
		d := new(net.Dialer)
		d.SetMultipathTCP(multi)
		c, err := d.Dial("tcp", std.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.(*net.TCPConn).MultipathTCP()
		if err != nil {
			t.Fatal(err)
		}
		if want != multi {
			t.Logf("this kernel makes no such connections: want %v of one that asked for %v", want, multi)
		}
		onLoop(t, ringo.Config{}, func(l *ringo.Loop) {
			ours, err := sock.Adopt[*sock.Conn](l, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			if got, err := ours.MultipathTCP(); got != want || err != nil {
				t.Errorf("MultipathTCP = %v, %v, want %v", got, err, want)
			}
		})
	}
}
