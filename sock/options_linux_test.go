//go:build linux

package sock_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
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
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
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
