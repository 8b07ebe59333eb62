//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

// withOptions is what has them.
type withOptions interface {
	net.Conn
	Loop() *ringo.Loop
	SetOptions(sock.Options) error
	Options() (sock.Options, error)
}

// eachWithOptions calls f with a socket of each sort that was made with some.
func eachWithOptions(t *testing.T, o sock.Options, f func(t *testing.T, name string, c withOptions)) {
	t.Helper()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			lc, d := &sock.ListenConfig{Options: o}, &sock.Dialer{Options: o}
			for _, host := range []string{"127.0.0.1", "[::1]", ""} {
				if host == "[::1]" && !haveIPv6() {
					continue
				}
				show := func(name string, c withOptions, err error) {
					if name += " " + host; err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					defer c.Close()
					f(t, name, c)
				}
				ln, err := lc.Listen(l, "tcp", host+":0")
				if err != nil {
					t.Errorf("%s: %v", host, err)
					continue
				}
				defer ln.Close()
				dialled, err := d.Dial(l, "tcp", ln.Addr().String())
				show("dialled", dialled, err)
				if err == nil {
					c, err := ln.AcceptConn()
					show("accepted", c, err)
				}
				bound, err := (&sock.ListenConfig{Options: packetOptions(o)}).ListenPacket(l, "udp", host+":0")
				show("bound", bound, err)
				connected, err := (&sock.Dialer{Options: packetOptions(o)}).DialPacket(l, "udp", ln.Addr().String())
				show("connected", connected, err)
			}
		})
	})
}

// packetOptions are those of them that datagrams have.
func packetOptions(o sock.Options) sock.Options {
	o.NotSentLowat, o.Congestion = 0, ""
	return o
}

func isPacket(c withOptions) bool { return strings.HasPrefix(c.LocalAddr().Network(), "udp") }

// Options are those of the Dialer and the ListenConfig, which what is accepted inherits; a zero leaves what there is.
func TestOptions(t *testing.T) {
	born := sock.Options{NotSentLowat: 1 << 16, MaxPacingRate: 1 << 30, TOS: 0x20}
	eachWithOptions(t, born, func(t *testing.T, name string, c withOptions) {
		want := born
		if isPacket(c) {
			want = packetOptions(want)
		}
		look := func(what string) {
			t.Helper()
			got, err := c.Options()
			got.Congestion = "" // the system's
			if got != want || err != nil {
				t.Errorf("%s, %s: %+v, %v; want %+v", name, what, got, err, want)
			}
		}
		set := func(what string, o sock.Options) {
			t.Helper()
			if err := c.SetOptions(o); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			look(what)
		}
		look("at birth")
		set("nothing", sock.Options{})
		want.TOS = 0x48
		set("TOS", sock.Options{TOS: 0x48})
		want.MaxPacingRate = math.MaxUint64
		set("no limit", sock.Options{MaxPacingRate: math.MaxUint64})
		want.MaxPacingRate = math.MaxUint32 - 1
		set("the most of 32 bits", sock.Options{MaxPacingRate: want.MaxPacingRate})
		want.TOS = 0
		set("TOS of 0", sock.Options{TOS: -1})
		if !isPacket(c) {
			want.NotSentLowat = 1
			set("NotSentLowat", sock.Options{NotSentLowat: 1})
		}
	})
}

// What is no value of an option is refused with the kernel's words, and nothing is cut.
func TestOptionsRefused(t *testing.T) {
	eachWithOptions(t, sock.Options{}, func(t *testing.T, name string, c withOptions) {
		refused := func(o sock.Options, want syscall.Errno, option string) {
			t.Helper()
			err := c.SetOptions(o)
			var op *net.OpError
			if !errors.Is(err, want) || !errors.As(err, &op) || op.Op != "set" ||
				!strings.Contains(err.Error(), option) {
				t.Errorf("%s, %+v: %v, want %v of %s", name, o, err, want, option)
			}
		}
		long := strings.Repeat("x", 16)
		refused(sock.Options{TOS: 256}, syscall.EINVAL, "IP_TOS")
		refused(sock.Options{Congestion: long}, syscall.ENOENT, "TCP_CONGESTION")
		refused(sock.Options{Device: long}, syscall.ENODEV, "SO_BINDTODEVICE")
		refused(sock.Options{Device: "lo\x00"}, syscall.ENODEV, "SO_BINDTODEVICE")
		refused(sock.Options{NotSentLowat: -1, Device: long}, syscall.EINVAL, "TCP_NOTSENT_LOWAT")
		if isPacket(c) {
			refused(sock.Options{NotSentLowat: 1}, syscall.ENOPROTOOPT, "TCP_NOTSENT_LOWAT")
			refused(sock.Options{Congestion: "reno"}, syscall.ENOPROTOOPT, "TCP_CONGESTION")
		}
		c.Close()
		wantClosed(t, "SetOptions", c.SetOptions(sock.Options{}))
		wantClosed(t, "Options", second(c.Options()))
	})
}

// Unix sockets have none of them.
func TestOptionsOfUnixSockets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			some := sock.Options{TOS: 1}
			lc, d := &sock.ListenConfig{Options: some}, &sock.Dialer{Options: some}
			gram, err := sock.ListenUnixgram(l, abstractName())
			if err != nil {
				t.Fatal(err)
			}
			defer gram.Close()
			ln, err := sock.Listen(l, "unix", abstractName())
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			named := &sock.Dialer{Options: some, LocalAddr: &net.UnixAddr{Name: abstractName(), Net: "unixgram"}}
			for what, err := range map[string]error{
				"Listen":                            second(lc.Listen(l, "unix", abstractName())),
				"Reserve":                           second(lc.Reserve("unixpacket", abstractName())),
				"ListenUnixgram":                    second(lc.ListenUnixgram(l, abstractName())),
				"Dial":                              second(d.Dial(l, "unix", ln.Addr().String())),
				"DialUnixgram":                      second(d.DialUnixgram(l, gram.LocalAddr().String())),
				"DialUnixgram by a name of its own": second(named.DialUnixgram(l, gram.LocalAddr().String())),
				"SetOptions":                        gram.SetOptions(some),
				"Options":                           second(gram.Options()),
			} {
				var op *net.OpError
				if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &op) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	})
}

// A connection of which the kernel takes little at a time loses nothing, and its writer goes on.
func TestNotSentLowat(t *testing.T) {
	eachCaller(t, func(t *testing.T, c *sock.Conn, peer tcpPeer, start starter) {
		want := bytes.Repeat([]byte("ringo."), 100_000)
		done := start(func() {
			if err := c.SetOptions(sock.Options{NotSentLowat: 1}); err != nil {
				t.Error(err)
			}
			for p := want; len(p) > 0; {
				n, err := c.Write(p[:min(len(p), 70_000)])
				if err != nil {
					t.Error(err)
					break
				}
				p = p[n:]
			}
			c.CloseWrite()
		})
		got, err := io.ReadAll(peer)
		if <-done; !bytes.Equal(got, want) || err != nil {
			t.Errorf("%d bytes came of %d, %v", len(got), len(want), err)
		}
	})
}

// The kernel has the options that were set, of both families where a socket has two.
func TestOptionsOfTheKernel(t *testing.T) {
	born := sock.Options{NotSentLowat: 12345, MaxPacingRate: 5 << 32, Congestion: "reno", TOS: 0x2e << 2}
	eachWithOptions(t, born, func(t *testing.T, name string, c withOptions) {
		fd := number(c.(syscall.Conn))
		number := func(level, option, want int) {
			t.Helper()
			if got, err := syscall.GetsockoptInt(fd, level, option); got != want || err != nil {
				t.Errorf("%s: option %d of level %d is %d, %v; want %d", name, option, level, got, err, want)
			}
		}
		number(unix.IPPROTO_IP, unix.IP_TOS, born.TOS)
		if family, _ := syscall.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); family == unix.AF_INET6 {
			number(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, born.TOS)
		}
		if rate, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE); err != nil ||
			rate != born.MaxPacingRate {
			t.Errorf("%s: the rate is %d, %v", name, rate, err)
		}
		if o, err := c.Options(); o.MaxPacingRate != born.MaxPacingRate || err != nil {
			t.Errorf("%s: the rate is said to be %d, %v", name, o.MaxPacingRate, err)
		}
		if isPacket(c) {
			return
		}
		number(unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, born.NotSentLowat)
		if got, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION); got != "reno" || err != nil {
			t.Errorf("%s: the congestion control is %q, %v", name, got, err)
		}
		if err := c.SetOptions(sock.Options{Congestion: "none-such"}); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("%s: an algorithm that does not exist: %v", name, err)
		}
		if o, err := c.Options(); o.Congestion != "reno" || err != nil {
			t.Errorf("%s: the congestion control is said to be %q, %v", name, o.Congestion, err)
		}
	})
}

// Marks and devices reach the kernel where the process has the rights, and else the error says which it lacks.
func TestOptionsTakeRights(t *testing.T) {
	eachWithOptions(t, sock.Options{}, func(t *testing.T, name string, c withOptions) {
		fd, some := number(c.(syscall.Conn)), sock.Options{Mark: 0xfedcba98, Device: "lo"}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, 0); err == nil {
			if err := c.SetOptions(some); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			o, err := c.Options()
			if o.Mark != some.Mark || o.Device != "lo" || err != nil {
				t.Errorf("%s: %+v, %v", name, o, err)
			}
			if mark, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK); uint32(mark) != some.Mark {
				t.Errorf("%s: the mark is %#x", name, mark)
			}
			if err := c.SetOptions(sock.Options{Device: "none-such"}); !errors.Is(err, syscall.ENODEV) {
				t.Errorf("%s: a device that does not exist: %v", name, err)
			}
			defer withoutRights(t)()
		} else if err := unix.BindToDevice(fd, "lo"); err != nil {
			t.Logf("%s: no socket is bound to a device: %v", name, err)
		}
		for o, right := range map[sock.Options]string{{Mark: 1}: "CAP_NET_ADMIN", {Device: "lo"}: "CAP_NET_RAW"} {
			err := c.SetOptions(o)
			if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), right) {
				t.Errorf("%s, without rights: %+v: %v", name, o, err)
			}
		}
	})
}

// withoutRights has this thread, which is a loop's, be without capabilities until the function is called.
func withoutRights(t *testing.T) (back func()) {
	t.Helper()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, none [2]unix.CapUserData
	if err := unix.Capget(&h, &had[0]); err != nil {
		t.Fatal(err)
	}
	none = had
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&h, &none[0]); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Capset(&h, &had[0]); err != nil {
			t.Error(err)
		}
	}
}
