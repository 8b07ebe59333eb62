//go:build linux

package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// optionsOf shows the options that package net sets, and those that a user may.
func optionsOf(t *testing.T, c net.Conn) string {
	t.Helper()
	fd := number(c.(syscall.Conn))
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
		fd := number(c.(syscall.Conn))
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
			_, port, _ := net.SplitHostPort(freeAddr(t))
			free, _ := strconv.Atoi(port)
			d := &sock.Dialer{Control: mark(&dialled), LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9), Port: free}}
			c, err := d.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.LocalAddr().(*net.TCPAddr); !got.IP.Equal(net.IPv4(127, 0, 0, 9)) || got.Port != free {
				t.Errorf("the connection is from %v, want port %d", got, free)
			}
			if len(listened) != 1 || listened[0] != "tcp4 127.0.0.1:0" || len(dialled) != 1 ||
				dialled[0] != "tcp4 "+ln.Addr().String() {
				t.Errorf("Control was called with %q and %q", listened, dialled)
			}

			before := descriptors(t, "socket:")
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
			if after := descriptors(t, "socket:"); after != before {
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
			raw, err := unix.GetsockoptTCPInfo(number(c), unix.IPPROTO_TCP, unix.TCP_INFO)
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
			fd := number(c)
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

// starter begins f as a caller of some kind, and gives what is closed at its end.
type starter func(f func()) (done <-chan struct{})

// run is start and a wait.
func (start starter) run(f func()) { <-start(f) }

// eachCaller runs body with a connection and its peer for each driver and each kind of
// caller: tasks of the connection's loop, tasks of another loop, and goroutines. body
// itself runs on a goroutine.
func eachCaller(t *testing.T, body func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, kind := range kindsOfCallers {
			t.Run(kind, func(t *testing.T) {
				conns := make(chan *sock.Conn, 1)
				end := make(chan bool)
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					conns <- c
					awaitIn(c.Loop(), end)
				}))
				defer s.stop()
				defer close(end)
				peer := s.dial()
				c := <-conns
				patience.Within(t.Name(), func() { body(t, c, peer, startAs(kind, c.Loop())) })
			})
		}
	})
}

var kindsOfCallers = []string{"task", "task of another loop", "goroutine"}

// startAs is for callers of a kind, of a handle of l.
func startAs(kind string, l *ringo.Loop) starter {
	if kind == "task of another loop" {
		l = otherLoop(l)
	}
	return func(f func()) <-chan struct{} {
		done := make(chan struct{})
		run := func() {
			defer close(done)
			f()
		}
		if kind == "goroutine" {
			go run()
		} else {
			l.Go(run)
		}
		return done
	}
}

func rawOf(t *testing.T, c syscall.Conn) syscall.RawConn {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// rawRead reads once through a RawConn.
func rawRead(raw syscall.RawConn, p []byte) (n int, err error) {
	var callErr error
	err = raw.Read(func(fd uintptr) bool {
		n, _, callErr = syscall.Recvfrom(int(fd), p, syscall.MSG_DONTWAIT)
		return callErr != syscall.EAGAIN
	})
	return max(n, 0), errors.Join(err, callErrOf(err, callErr))
}

// rawWrite writes all of p through a RawConn.
func rawWrite(raw syscall.RawConn, p []byte) (n int, err error) {
	var callErr error
	err = raw.Write(func(fd uintptr) bool {
		for n < len(p) {
			k, err := syscall.SendmsgN(int(fd), p[n:], nil, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
			if callErr = err; err != nil {
				return err != syscall.EAGAIN
			}
			n += k
		}
		return true
	})
	return n, errors.Join(err, callErrOf(err, callErr))
}

// callErrOf is the error of the last call, unless it was not the last word.
func callErrOf(err, callErr error) error {
	if err != nil {
		return nil
	}
	return callErr
}

// isOpen reports whether fd is the socket with this address.
func isOpen(fd uintptr, addr net.Addr) bool {
	sa, err := syscall.Getsockname(int(fd))
	in4, ok := sa.(*syscall.SockaddrInet4)
	return err == nil && ok && in4.Port == addr.(*net.TCPAddr).Port
}

// The descriptor stays what it is while a function has it: Close waits.
func TestRawControlHoldsTheDescriptor(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		in, out := make(chan uintptr), make(chan bool)
		go raw.Control(func(fd uintptr) { in <- fd; <-out })
		fd := <-in
		closed := start(func() { c.Close() })
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		eventually(t, "the close's begin", func() bool {
			return raw.Control(func(uintptr) {}) != nil
		})
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		if !isOpen(fd, c.LocalAddr()) {
			t.Error("the descriptor was closed under a function that had it")
		}
		out <- true
		<-closed
		if isOpen(fd, c.LocalAddr()) {
			t.Error("the descriptor is still open after Close")
		}
		late := func(uintptr) bool { t.Error("called after Close"); return true }
		wantClosed(t, "Control", raw.Control(func(fd uintptr) { late(fd) }))
		wantClosed(t, "Read", raw.Read(late))
		wantClosed(t, "Write", raw.Write(late))
	})
}

// What was received and not read is not passed over.
func TestRawReadUnread(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		send(t, peer, "abc")
		start.run(func() {
			if p, err := c.Peek(3); err != nil {
				t.Errorf("Peek: %q, %v", p, err)
			}
		})
		c.Loop().Go(func() { // who reads first does not matter
			if p, err := c.Peek(1); err != nil {
				t.Errorf("Peek: %q, %v", p, err)
			}
		}).Wait()
		raw := rawOf(t, c)
		start.run(func() {
			err := raw.Read(func(uintptr) bool { t.Error("called with bytes unread"); return true })
			if !errors.Is(err, sock.ErrUnread) {
				t.Errorf("Read: %v", err)
			}
			if err := raw.Write(func(uintptr) bool { return true }); err != nil {
				t.Errorf("Write: %v", err)
			}
			p := make([]byte, 10)
			if n, err := io.ReadFull(c, p[:3]); err != nil || string(p[:n]) != "abc" {
				t.Errorf("Read: %q, %v", p[:n], err)
			}
			send(t, peer, "d")
			if n, err := rawRead(raw, p); err != nil || string(p[:n]) != "d" {
				t.Errorf("then: %q, %v", p[:n], err)
			}
		})
	})
}

func TestRawWrite(t *testing.T) {
	t.Parallel()
	for _, half := range []string{"", ", half-closed peer"} {
		t.Run("all"+half, func(t *testing.T) {
			eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
				if half != "" {
					peer.CloseWrite()
				}
				const size = 8 << 20 // more than there is room for
				p := make([]byte, size)
				pattern(p, 0)
				done := start(func() {
					if n, err := rawWrite(rawOf(t, c), p); n != size || err != nil {
						t.Errorf("wrote %d, %v", n, err)
					}
					c.CloseWrite()
				})
				got, err := io.ReadAll(peer)
				if len(got) != size || err != nil || mismatch(got, 0) >= 0 {
					t.Errorf("%d bytes came, %v", len(got), err)
				}
				<-done
			})
		})
	}
}

// tell says once on a channel with room for it that something was reached.
func tell(ch chan bool) {
	select {
	case ch <- true:
	default:
	}
}

// again is for a function that never finds what it wants.
func again(uintptr) bool { return false }

func TestRawClose(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		reads, writes := make(chan bool, 1), make(chan bool, 1)
		in := start(func() {
			wantClosed(t, "Read", raw.Read(func(uintptr) bool { tell(reads); return false }))
		})
		out := start(func() {
			p := make([]byte, 1<<16)
			wantClosed(t, "Write", raw.Write(func(fd uintptr) bool {
				for {
					if _, err := syscall.SendmsgN(int(fd), p, nil, nil,
						syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL); err != nil {
						break
					}
				}
				tell(writes)
				return false
			}))
		})
		<-reads
		<-writes
		var fd uintptr
		raw.Control(func(n uintptr) { fd = n })
		start.run(func() { c.Close() })
		<-in
		<-out
		if isOpen(fd, c.LocalAddr()) {
			t.Error("still open")
		}
	})
}

// A function that panics, or ends its goroutine, leaves the direction to others.
func TestRawPanic(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		for _, when := range []int{1, 2} { // at once, and after a wait
			calls, called := 0, make(chan bool, 1)
			done := start(func() {
				defer func() {
					if v := recover(); v == nil {
						t.Error("no panic came through")
					}
				}()
				raw.Read(func(uintptr) bool {
					tell(called)
					if calls++; calls == when {
						panic("of a test")
					}
					return false
				})
			})
			<-called
			send(t, peer, "x")
			<-done
			start.run(func() {
				if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
					t.Errorf("after a panic: %d, %v", n, err)
				}
			})
		}
		start.run(func() {
			func() {
				defer func() { recover() }()
				raw.Control(func(uintptr) { panic("of a test") })
			}()
			c.Close() // which would wait
		})
	})
}

// Raw reads and others take turns on one stream: no byte is lost or out of place.
func TestRawReadersAmongOthers(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		const records = 2000
		go func() {
			var p []byte
			for i := range uint32(records) {
				p = binary.BigEndian.AppendUint32(p, i)
				if rand.IntN(20) == 0 {
					peer.Write(p)
					p = p[:0]
				}
			}
			peer.Write(p)
			peer.CloseWrite()
		}()
		raw := rawOf(t, c)
		var mu ringo.Mutex
		var got []byte
		var over atomic.Bool
		step := func() {
			if mu.LockContext(context.Background()) != nil {
				return
			}
			defer mu.Unlock()
			p := make([]byte, 100)
			n, err := 0, sock.ErrUnread
			if rand.IntN(2) == 0 {
				if n, err = rawRead(raw, p); n == 0 && err == nil {
					err = io.EOF
				}
			}
			if errors.Is(err, sock.ErrUnread) {
				n, err = c.Read(p)
			}
			got = append(got, p[:n]...)
			switch {
			case err == nil, errors.Is(err, context.Canceled):
			default:
				if err != io.EOF {
					t.Error(err)
				}
				over.Store(true)
			}
		}
		var all sync.WaitGroup
		all.Go(func() {
			for !over.Load() {
				task := c.Loop().Go(step)
				if rand.IntN(3) == 0 {
					task.Cancel()
				}
				task.Wait()
			}
		})
		all.Go(func() {
			for !over.Load() {
				start.run(step)
			}
		})
		all.Wait()
		if len(got) != 4*records {
			t.Fatalf("%d bytes came of %d", len(got), 4*records)
		}
		for i := range records {
			if v := binary.BigEndian.Uint32(got[4*i:]); v != uint32(i) {
				t.Fatalf("record %d is %d", i, v)
			}
		}
	})
}

func TestRawListener(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := descriptors(t, "socket:")
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			raw := rawOf(t, ln)
			check := func() {
				if err := raw.Control(func(fd uintptr) {
					if !isOpen(fd, ln.Addr()) {
						t.Errorf("descriptor %d is not the listener's", fd)
					}
				}); err != nil {
					t.Error(err)
				}
				for _, err := range []error{raw.Read(again), raw.Write(again)} {
					if !errors.Is(err, syscall.EINVAL) {
						t.Errorf("Read or Write: %v", err)
					}
				}
			}
			check()
			onGoroutine(t, l, check)

			in, out := make(chan uintptr), make(chan bool)
			go raw.Control(func(fd uintptr) { in <- fd; <-out })
			fd := <-in
			closed := l.Go(func() { ln.Close() })
			others(l)
			if !isOpen(fd, ln.Addr()) {
				t.Error("closed under a function that had it")
			}
			wantClosed(t, "Control", raw.Control(func(uintptr) { t.Error("called after Close") }))
			out <- true
			closed.Wait()
			if isOpen(fd, ln.Addr()) {
				t.Error("still open after Close")
			}
		})
		if n := descriptors(t, "socket:"); n != before {
			t.Errorf("%d sockets, %d before", n, before)
		}
	})
}

// A function may have the descriptor for longer than there is a loop.
func TestRawOutlivesTheLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, what := range []string{"Conn", "Listener"} {
			before := descriptors(t, "socket:")
			in, out, over := make(chan uintptr), make(chan bool), make(chan bool)
			var addr net.Addr
			var end io.Closer
			var fd uintptr
			err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
				ln := listen(t, l)
				var raw syscall.RawConn
				if what == "Conn" {
					c, peer := accept(t, ln)
					peer.Close()
					raw, addr, end = rawOf(t, c), c.LocalAddr(), c
				} else {
					raw, addr, end = rawOf(t, ln), ln.Addr(), ln
				}
				go func() {
					defer close(over)
					raw.Control(func(fd uintptr) { in <- fd; <-out })
				}()
				offloaded(t, l, func() error { fd = <-in; return nil })
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !isOpen(fd, addr) {
				t.Errorf("%s: closed with its loop, under a function that had it", what)
			}
			close(out)
			<-over
			if err := end.Close(); err != nil {
				t.Error(err)
			}
			if n := descriptors(t, "socket:"); n != before {
				t.Errorf("%s: %d sockets, %d before", what, n, before)
			}
		}
	})
}

func TestRawErrors(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw := rawOf(t, c)
		start.run(func() {
			c.SetReadDeadline(time.Now())
			err := raw.Read(again)
			var oe *net.OpError
			if !errors.As(err, &oe) || oe.Op != "raw-read" || oe.Addr.String() != c.RemoteAddr().String() {
				t.Errorf("%#v", err)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "timeout") {
				t.Error(err)
			}
		})
	})
}

// A Serve that ends takes no bytes from a connection whose input a goroutine has.
func TestServeEndsBesideGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			conns, requests := make(chan *sock.Conn, 1), make(chan int, 10)
			serving := l.Go(func() {
				sock.Serve(l, ln, &sock.Handler{
					Open:    func(c *sock.Conn) error { conns <- c; return nil },
					Request: func(c *sock.Conn) error { requests <- c.Buffered(); return net.ErrClosed },
				})
			})
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			offloaded(t, l, func() error {
				c := <-conns
				raw, err := c.SyscallConn()
				if err != nil {
					return err
				}
				var n int
				entered, look, looked := make(chan bool), make(chan bool), make(chan error, 1)
				go func() {
					looked <- raw.Read(func(fd uintptr) bool {
						close(entered)
						<-look
						n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 16), syscall.MSG_DONTWAIT)
						return true
					})
				}()
				<-entered
				send(t, peer, "hello")
				serving.Cancel()
				eventually(t, "the connection closes, or is served", func() bool {
					return len(requests) > 0 || errors.Is(c.SetNoDelay(true), net.ErrClosed)
				})
				close(look)
				patience.Within(t.Name(), func() {
					if err := <-looked; n != 5 || err != nil {
						t.Errorf("the goroutine received %d bytes, %v; want 5", n, err)
					}
					serving.Wait()
				})
				if len(requests) > 0 {
					t.Errorf("a request was made of %d bytes", <-requests)
				}
				return nil
			})
		})
	})
}

// A function that reports false without a look at the socket is called again once it is ready, at once if it is so
// already: where package net waits for more to come.
func TestRawReadWaitsOnce(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		raw, p := rawOf(t, c), make([]byte, 10)
		for round := range 6 {
			before := round%2 == 0
			if before {
				send(t, peer, "before")
			}
			calls, asked := 0, make(chan bool, 1)
			var sent atomic.Bool
			done := start(func() {
				err := raw.Read(func(uintptr) bool {
					if calls++; calls == 2 && !before && !sent.Load() {
						t.Errorf("round %d: called again before there is anything", round)
					}
					tell(asked)
					return calls == 2
				})
				if before && errors.Is(err, sock.ErrUnread) { // the loop has received it
					return
				}
				if err != nil || calls != 2 {
					t.Errorf("round %d: after %d calls: %v", round, calls, err)
				}
			})
			if !before {
				<-asked
				sent.Store(true)
				send(t, peer, "behind")
			}
			<-done
			start.run(func() {
				if _, err := io.ReadFull(c, p[:6]); err != nil {
					t.Error(err)
				}
			})
			calls = 0
			start.run(func() { // there is room from the start
				if err := raw.Write(func(uintptr) bool { calls++; return calls == 2 }); err != nil || calls != 2 {
					t.Errorf("round %d: Write, after %d calls: %v", round, calls, err)
				}
			})
		}
	})
}
