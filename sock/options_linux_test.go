//go:build linux

package sock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// fdOf finds the descriptor of a connection of this process by its addresses.
func fdOf(t *testing.T, c net.Conn) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	show := func(sa syscall.Sockaddr, err error) string {
		if sa, ok := sa.(*syscall.SockaddrInet4); ok && err == nil {
			return (&net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}).String()
		}
		return ""
	}
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		if show(syscall.Getsockname(fd)) == c.LocalAddr().String() &&
			show(syscall.Getpeername(fd)) == c.RemoteAddr().String() {
			return fd
		}
	}
	t.Fatalf("no descriptor for %s", c.LocalAddr())
	return -1
}

// optionsOf shows the options that package net sets, and those that a user may.
func optionsOf(t *testing.T, c net.Conn) string {
	t.Helper()
	fd := fdOf(t, c)
	var b strings.Builder
	for _, o := range []struct {
		name             string
		level, opt, flag int
	}{
		{"nodelay", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0},
		{"keepalive", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0},
		{"idle", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 0},
		{"interval", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 0},
		{"count", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 0},
		{"error", syscall.SOL_SOCKET, syscall.SO_ERROR, 0},
	} {
		v, err := syscall.GetsockoptInt(fd, o.level, o.opt)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s=%d ", o.name, v)
	}
	flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	status, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	fmt.Fprintf(&b, "cloexec=%v nonblock=%v", flags&syscall.FD_CLOEXEC != 0, status&syscall.O_NONBLOCK != 0)
	return b.String()
}

// Connections are born with package net's options, accepted and dialled, and with
// descriptors that no child inherits.
func TestOptionsAtBirth(t *testing.T) {
	std, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	peer := dial(t, std.Addr().String())
	defer peer.Close()
	stdAccepted, err := std.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer stdAccepted.Close()
	want := optionsOf(t, stdAccepted)
	wantDialled := optionsOf(t, peer)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			var accepted *sock.Conn
			accepting := l.Go(func() { accepted, _ = ln.AcceptConn() })
			dialled, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			accepting.Wait()
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

// tunable is what both kinds of connection let a user set.
type tunable interface {
	net.Conn
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
	SetLinger(int) error
}

// Each option does what it does in package net.
func TestOptionsAsNet(t *testing.T) {
	steps := []struct {
		name string
		do   func(c tunable) error
	}{
		{"no delay off", func(c tunable) error { return c.SetNoDelay(false) }},
		{"no delay on", func(c tunable) error { return c.SetNoDelay(true) }},
		{"keep-alive off", func(c tunable) error { return c.SetKeepAlive(false) }},
		{"keep-alive on", func(c tunable) error { return c.SetKeepAlive(true) }},
		{"period", func(c tunable) error { return c.SetKeepAlivePeriod(3500 * time.Millisecond) }},
		{"config", func(c tunable) error {
			return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second, Interval: 1, Count: 3})
		}},
		{"defaults", func(c tunable) error { return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}) }},
		{"left alone", func(c tunable) error {
			return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: 40 * time.Second,
				Count: -1})
		}},
		{"config off", func(c tunable) error { return c.SetKeepAliveConfig(net.KeepAliveConfig{Idle: time.Hour}) }},
		{"read buffer", func(c tunable) error { return c.SetReadBuffer(50_000) }},
		{"write buffer", func(c tunable) error { return c.SetWriteBuffer(60_000) }},
		{"linger", func(c tunable) error { return c.SetLinger(17) }},
		{"linger 0", func(c tunable) error { return c.SetLinger(0) }},
		{"linger off", func(c tunable) error { return c.SetLinger(-1) }},
	}
	more := func(t *testing.T, c net.Conn) string {
		fd := fdOf(t, c)
		r, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		w, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF)
		linger, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_LINGER) // its first word: on or off
		return fmt.Sprintf("%s rcvbuf=%d sndbuf=%d linger=%d", optionsOf(t, c), r, w, linger)
	}
	std, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	peer := dial(t, std.Addr().String())
	defer peer.Close()
	other, err := std.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var want []string
	for _, step := range steps {
		if err := step.do(other.(*net.TCPConn)); err != nil {
			t.Fatalf("package net: %s: %v", step.name, err)
		}
		want = append(want, more(t, other))
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			for i, step := range steps {
				if err := step.do(c); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
				if got := more(t, c); got != want[i] {
					t.Errorf("%s:\n got %s\nwant %s", step.name, got, want[i])
				}
			}
		})
	})
}

// Numbers that no option holds are refused, and not cut.
func TestOptionsAreNotCut(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(_ *ringo.Loop, c *sock.Conn, _ tcpPeer) {
			for what, err := range map[string]error{
				"SetKeepAlivePeriod of 292 years":    c.SetKeepAlivePeriod(math.MaxInt64),
				"SetKeepAlivePeriod of 2^32 seconds": c.SetKeepAlivePeriod(1 << 32 * time.Second),
			} {
				if !errors.Is(err, unix.EINVAL) {
					t.Errorf("%s: %v, want EINVAL", what, err)
				}
			}
			if strconv.IntSize == 32 {
				return
			}
			nothing := int64(1) << 40 // if it is cut
			large := int(nothing)
			for what, err := range map[string]error{
				"SetLinger":      c.SetLinger(large),
				"SetReadBuffer":  c.SetReadBuffer(large + 4096),
				"SetWriteBuffer": c.SetWriteBuffer(large),
			} {
				if !errors.Is(err, unix.EINVAL) {
					t.Errorf("%s of more than 32 bits: %v, want EINVAL", what, err)
				}
			}
		})
	})
}

// A zone is an interface by name or number.
func TestDialZone(t *testing.T) {
	std, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer std.Close()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	_, port, _ := net.SplitHostPort(std.Addr().String())
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, zone := range []string{"lo", strconv.Itoa(lo.Index)} {
				c, err := sock.Dial(l, "tcp", "[::1%"+zone+"]:"+port)
				if err != nil {
					t.Errorf("zone %s: %v", zone, err)
					continue
				}
				c.Close()
			}
			if c, err := sock.Dial(l, "tcp", "[fe80::1%no-such-interface]:"+port); err == nil {
				c.Close()
				t.Error("a zone that there is not: no error")
			}
		})
	})
}

// mark sets the socket's priority, and shows that somebody did.
func mark(calls *[]string) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		*calls = append(*calls, network+" "+address)
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PRIORITY, 3)
		}); cerr != nil {
			return cerr
		}
		if c.Read(func(uintptr) bool { return true }) == nil || c.Write(func(uintptr) bool { return true }) == nil {
			return errors.New("a socket that is being made was read or written")
		}
		return err
	}
}

// What a program sets on its sockets is set before they are bound and connected, and
// who refuses one fails the call, without a descriptor left.
func TestControl(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			var listened, dialled []string
			lc := &sock.ListenConfig{Control: mark(&listened), Backlog: 5}
			ln, err := lc.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			d := &sock.Dialer{Control: mark(&dialled), LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
			c, err := d.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.LocalAddr().(*net.TCPAddr); !got.IP.Equal(net.IPv4(127, 0, 0, 9)) || got.Port == 0 {
				t.Errorf("the connection is from %v", got)
			}
			if len(listened) != 1 || listened[0] != "tcp4 127.0.0.1:0" || len(dialled) != 1 ||
				dialled[0] != "tcp4 "+ln.Addr().String() {
				t.Errorf("Control was called with %q and %q", listened, dialled)
			}

			before := sockets(t)
			refusal := errors.New("not this one")
			refuse := func(string, string, syscall.RawConn) error { return refusal }
			if _, err := (&sock.ListenConfig{Control: refuse}).Listen(l, "tcp", "127.0.0.1:0"); !errors.Is(err,
				refusal) {
				t.Errorf("Listen: %v", err)
			}
			if _, err := (&sock.Dialer{Control: refuse}).Dial(l, "tcp", ln.Addr().String()); !errors.Is(err, refusal) {
				t.Errorf("Dial: %v", err)
			}
			if _, err := (&sock.ListenConfig{Backlog: -1}).Listen(l, "tcp", "127.0.0.1:0"); err == nil {
				t.Error("Listen with a negative backlog")
			}
			for _, local := range []net.Addr{&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)},
				&net.TCPAddr{IP: net.IP{1}}, &net.TCPAddr{IP: net.IPv6loopback}} {
				if _, err := (&sock.Dialer{LocalAddr: local}).Dial(l, "tcp", ln.Addr().String()); err == nil {
					t.Errorf("Dial from %v", local)
				}
			}
			if _, err := (&sock.Dialer{LocalAddr: ln.Addr()}).Dial(l, "tcp", ln.Addr().String()); !errors.Is(err,
				syscall.EADDRINUSE) {
				t.Errorf("Dial from a port where somebody listens: %v", err)
			}
			if after := sockets(t); after != before {
				t.Errorf("%d sockets, there were %d", after, before)
			}
		})
	})
}

// TCPInfo is what the kernel's struct says, from a task and from a goroutine.
func TestTCPInfo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const size = 10_000
			offloaded(t, l, func() error { _, err := peer.Write(make([]byte, size)); return err })
			if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			offloaded(t, l, func() error { _, err := io.ReadFull(peer, make([]byte, size)); return err })
			var info sock.TCPInfo
			eventuallyOn(t, l, "all is acknowledged", func() bool {
				var err error
				if info, err = c.TCPInfo(); err != nil {
					t.Fatal(err)
				}
				return info.Unacked == 0 && info.BytesAcked >= size
			})
			raw, err := unix.GetsockoptTCPInfo(fdOf(t, c), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Fatal(err)
			}
			want := sock.TCPInfo{
				State: sock.TCPEstablished, RTT: micros(raw.Rtt), RTTVar: micros(raw.Rttvar),
				MinRTT: micros(raw.Min_rtt), RTO: micros(raw.Rto), MSS: raw.Snd_mss, PathMTU: raw.Pmtu,
				CWnd: raw.Snd_cwnd, SSThresh: raw.Snd_ssthresh, Unacked: raw.Unacked, Lost: raw.Lost,
				Retransmits: raw.Retransmits, Retransmit: raw.Total_retrans, NotSent: raw.Notsent_bytes,
				BytesAcked: raw.Bytes_acked, BytesReceived: raw.Bytes_received, BytesSent: raw.Bytes_sent,
				BytesRetransmitted: raw.Bytes_retrans, SegmentsOut: raw.Segs_out, SegmentsIn: raw.Segs_in,
				DeliveryRate: raw.Delivery_rate, PacingRate: raw.Pacing_rate,
			}
			check := func(who string, got sock.TCPInfo, err error) {
				if err != nil {
					t.Fatalf("TCPInfo from a %s: %v", who, err)
				}
				got.LastSent, got.LastReceived = 0, 0 // they go on
				if got != want {
					t.Errorf("TCPInfo from a %s:\n got %+v\nwant %+v", who, got, want)
				}
			}
			info, err = c.TCPInfo()
			check("task", info, err)
			if info.BytesReceived != size || info.BytesSent < size || info.RTT <= 0 || info.MSS == 0 ||
				info.State.String() != "ESTABLISHED" {
				t.Errorf("TCPInfo: %+v", info)
			}
			var ierr error
			l.Offload(func(context.Context) error { info, ierr = c.TCPInfo(); return nil })
			check("goroutine", info, ierr)

			peer.CloseWrite()
			eventuallyOn(t, l, "CLOSE-WAIT", func() bool {
				info, err := c.TCPInfo()
				return err == nil && info.State == sock.TCPCloseWait
			})
			c.Close()
			if _, err := c.TCPInfo(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("TCPInfo after Close: %v, want net.ErrClosed", err)
			}
		})
	})
}

func micros(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }

func TestTCPStateNames(t *testing.T) {
	for s, want := range map[sock.TCPState]string{0: "TCPState(0)", sock.TCPEstablished: "ESTABLISHED",
		sock.TCPClosing: "CLOSING", 12: "TCPState(12)"} {
		if got := s.String(); got != want {
			t.Errorf("%d is %s, want %s", uint8(s), got, want)
		}
	}
}

func TestUserTimeout(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			fd := fdOf(t, c)
			for _, step := range []struct {
				d     time.Duration
				want  int
				wrong bool
			}{
				{d: 1500 * time.Millisecond, want: 1500}, {d: time.Nanosecond, want: 1},
				{d: -time.Second, want: 1, wrong: true},
				{d: math.MaxInt64, want: 1, wrong: true}, {d: math.MaxInt32 * time.Millisecond, want: math.MaxInt32},
				{d: 0, want: 0},
			} {
				err := c.SetUserTimeout(step.d)
				if wrong := errors.Is(err, syscall.EINVAL); wrong != step.wrong || !wrong && err != nil {
					t.Errorf("SetUserTimeout(%v): %v", step.d, err)
				}
				if got, _ := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != step.want {
					t.Errorf("SetUserTimeout(%v): the kernel has %d ms, want %d", step.d, got, step.want)
				}
			}
			offloaded(t, l, func() error { return c.SetUserTimeout(time.Second) })
			if got, _ := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 1000 {
				t.Errorf("from a goroutine: the kernel has %d ms, want 1000", got)
			}
		})
	})
}

// A listener that defers gives the connection that speaks before the one that came
// first and is silent.
func TestDeferAccept(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := (&sock.ListenConfig{DeferAccept: 2 * patience.Max}).Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			silent := dial(t, ln.Addr().String())
			defer silent.Close()
			speaks := dial(t, ln.Addr().String())
			defer speaks.Close()
			speaks.Write([]byte("hello"))
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got, want := c.RemoteAddr().String(), speaks.LocalAddr().String(); got != want {
				t.Errorf("accepted %s, want %s, which speaks", got, want)
			}
			wantAll(t, c, "hello")
		})
	})
}

// A listener with FastOpen has a queue for it, and one without has none.
func TestFastOpen(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, want := range []int{0, 7} {
				ln, err := (&sock.ListenConfig{FastOpen: want}).Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				raw, err := ln.SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				if err := raw.Control(func(fd uintptr) {
					got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN)
					if got != want || err != nil {
						t.Errorf("TCP_FASTOPEN: %d, %v, want %d", got, err, want)
					}
				}); err != nil {
					t.Error(err)
				}
				ln.Close()
			}
		})
	})
}
