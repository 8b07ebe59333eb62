//go:build linux

package sock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http/httptrace"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// socketCalls is package net, or this one in its shape.
type socketCalls struct {
	dial         func(ctx context.Context, d net.Dialer, network, address string) (net.Conn, error)
	listen       func(lc net.ListenConfig, network, address string) (net.Listener, error)
	listenPacket func(lc net.ListenConfig, network, address string) (net.PacketConn, error)
}

var callsOfNet = socketCalls{
	dial: func(ctx context.Context, d net.Dialer, network, address string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	},
	listen: func(lc net.ListenConfig, network, address string) (net.Listener, error) {
		return lc.Listen(context.Background(), network, address)
	},
	listenPacket: func(lc net.ListenConfig, network, address string) (net.PacketConn, error) {
		return lc.ListenPacket(context.Background(), network, address)
	},
}

// callsOf is this package's on a loop.
func callsOf(l *ringo.Loop) socketCalls {
	return socketCalls{
		dial: func(ctx context.Context, d net.Dialer, network, address string) (net.Conn, error) {
			ours := sock.Dialer{LocalAddr: d.LocalAddr, Timeout: d.Timeout, Deadline: d.Deadline, Resolver: d.Resolver,
				Control: d.Control, ControlContext: d.ControlContext}
			switch {
			case strings.HasPrefix(network, "udp"):
				return asConn(ours.DialPacketContext(ctx, l, network, address))
			case network == "unixgram":
				return asConn(ours.DialUnixgram(l, address))
			}
			return asConn(ours.DialContext(ctx, l, network, address))
		},
		listen: func(lc net.ListenConfig, network, address string) (ln net.Listener, err error) {
			ours := sock.ListenConfig{Control: lc.Control}
			listen := func() { ln, err = as[net.Listener](ours.Listen(l, network, address)) }
			if listen(); errors.Is(err, ringo.ErrNotTask) {
				l.Go(listen).Wait()
			}
			return ln, err
		},
		listenPacket: func(lc net.ListenConfig, network, address string) (net.PacketConn, error) {
			ours := sock.ListenConfig{Control: lc.Control}
			if network == "unixgram" {
				return as[net.PacketConn](ours.ListenUnixgram(l, address))
			}
			return as[net.PacketConn](ours.ListenPacket(l, network, address))
		},
	}
}

// as is a handle in an interface, which is nil if there is none.
func as[I, H any](h H, err error) (i I, _ error) {
	if err == nil {
		i = any(h).(I)
	}
	return i, err
}

func asConn[H any](h H, err error) (net.Conn, error) { return as[net.Conn](h, err) }

// likeNet is a program that is run on package net and on this one, and what it has seen.
type likeNet struct {
	socketCalls
	t    *testing.T
	dir  string // whose names are the same on both
	seen strings.Builder
}

// see notes what has come.
func (s *likeNet) see(what string, values ...any) {
	fmt.Fprintf(&s.seen, "%s:", what)
	for _, v := range values {
		if err, ok := v.(error); ok || v == nil {
			s.seen.WriteString(" " + kinds(err))
			continue
		}
		fmt.Fprintf(&s.seen, " %v", v)
	}
	s.seen.WriteByte('\n')
}

// kinds is all that a program can tell of an error: its text, its types from the outside in, and what it says.
func kinds(err error) string {
	if err == nil {
		return "nil"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q", err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		if exported(e) {
			fmt.Fprintf(&b, " %T", e)
		}
		if op, ok := e.(*net.OpError); ok {
			fmt.Fprintf(&b, "{%s %s source=%v addr=%v}", op.Op, op.Net, op.Source != nil, op.Addr != nil)
		}
	}
	for _, known := range []error{net.ErrClosed, os.ErrDeadlineExceeded, io.EOF, context.Canceled,
		context.DeadlineExceeded, syscall.ECONNREFUSED, syscall.EADDRINUSE, syscall.EINVAL} {
		if errors.Is(err, known) {
			fmt.Fprintf(&b, " is %v", known)
		}
	}
	if e, ok := err.(net.Error); ok {
		fmt.Fprintf(&b, " timeout=%v temporary=%v", e.Timeout(), e.Temporary())
	}
	return b.String()
}

// exported reports whether a program can name the error's type.
func exported(err error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() != "fmt" && t.Name() != "" && t.Name()[0] >= 'A' && t.Name()[0] <= 'Z'
}

// must ends the program, which can't go on.
func (s *likeNet) must(err error) {
	if err != nil {
		panic(err)
	}
}

func (s *likeNet) name(base string) string { return filepath.Join(s.dir, base) }

func (s *likeNet) listenOn(network, address string) net.Listener {
	ln, err := s.listen(net.ListenConfig{}, network, address)
	s.must(err)
	return ln
}

func (s *likeNet) dialTo(network, address string) net.Conn {
	c, err := s.dial(context.Background(), net.Dialer{}, network, address)
	s.must(err)
	return c
}

// pair is a connection, and its peer of package net.
func (s *likeNet) pair(network, address string) (c, peer net.Conn) {
	ln, err := net.Listen(network, address)
	s.must(err)
	defer ln.Close()
	c = s.dialTo(network, ln.Addr().String())
	peer, err = ln.Accept()
	s.must(err)
	return c, peer
}

func (s *likeNet) packet(network, address string) net.PacketConn {
	c, err := s.listenPacket(net.ListenConfig{}, network, address)
	s.must(err)
	return c
}

// free is an address where nobody listens.
func (s *likeNet) free() string { return socktest.Refusing(s.t) }

// listenAlone is listenOn at a loopback address and port 0, where nobody listens at the port of the other family.
func (s *likeNet) listenAlone(address string) net.Listener {
	other := netip.IPv6Loopback()
	if strings.HasPrefix(address, "[") {
		other = netip.MustParseAddr("127.0.0.1")
	}
	for {
		ln := s.listenOn("tcp", address)
		port := ln.Addr().(*net.TCPAddr).Port
		if _, err := socktest.Refuse(s.t, netip.AddrPortFrom(other, uint16(port))); err != syscall.EADDRINUSE {
			return ln // or there is no such family
		}
		ln.Close()
	}
}

// The ports that the kernel chose, and folders, differ from run to run.
var portsOf = regexp.MustCompile(`:(-?[1-9][0-9]{3,5})\b`)

func (s *likeNet) result() string {
	// An AddrPort that a datagram is for is a *net.UDPAddr in our errors, which shows IPv4 as such.
	text := strings.ReplaceAll(s.seen.String(), "[::ffff:127.0.0.1]", "127.0.0.1")
	text = portsOf.ReplaceAllString(text, ":PORT")
	return strings.ReplaceAll(text, s.dir, "DIR")
}

// differences lists what differs between two results.
func differences(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var x, y string
		if i < len(w) {
			x = w[i]
		}
		if i < len(g) {
			y = g[i]
		}
		if x != y {
			fmt.Fprintf(&b, "\nnet:  %s\nsock: %s", x, y)
		}
	}
	return b.String()
}

func (s *likeNet) run(f func(s *likeNet)) (result string) {
	defer func() {
		if v := recover(); v != nil {
			s.see("panic", fmt.Errorf("%v", v))
			result = s.result()
		}
	}()
	f(s)
	return s.result()
}

// TestAsNet runs small programs on package net and on this one, from goroutines and from tasks, and wants them to see
// the same. What differs on purpose is in the package comment.
func TestAsNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		s := serve(t, cfg, func(l *ringo.Loop, _ *sock.Listener) error {
			return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
		})
		l := s.loops[0]
		for name, f := range likeNets {
			t.Run(name, func(t *testing.T) {
				dir, err := os.MkdirTemp("", "differ")
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				folder := func(name string) string {
					d := filepath.Join(dir, name)
					if err := os.Mkdir(d, 0o700); err != nil {
						t.Fatal(err)
					}
					return d
				}
				want := (&likeNet{t: t, socketCalls: callsOfNet, dir: folder("n")}).run(f)
				got := (&likeNet{t: t, socketCalls: callsOf(l), dir: folder("g")}).run(f)
				if d := differences(want, got); d != "" {
					t.Errorf("a goroutine:%s", d)
				}
				if strings.Contains(want, "panic") && !haveIPv6() {
					t.Skip("no IPv6 here, of which there is something in the middle")
				}
				if blocking[name] {
					return
				}
				if err := l.Go(func() {
					got = (&likeNet{t: t, socketCalls: callsOf(l), dir: folder("t")}).run(f)
				}).Wait(); err != nil {
					t.Fatal(err)
				}
				if d := differences(want, got); d != "" {
					t.Errorf("a task:%s", d)
				}
			})
		}
		s.stop()
	})
}

// blocking are the programs that wait for what is not a socket, which a task must not.
var blocking = map[string]bool{
	"listen, Close in Accept": true,
	"conn, Close in Read":     true,
	"packet, Close in Read":   true,
	"File":                    true,
}

// nowhere is where nobody can listen.
var nowhere = [][2]string{{"tcp", "127.0.0.1"}, {"tcp", "::1:1:x:["}, {"tcp", "127.0.0.1:nosuch"},
	{"tcp", "127.0.0.1:65536"}, {"tcp", "127.0.0.1:-1"}, {"tcp", "192.0.2.1:0"}, {"tcq", "127.0.0.1:0"},
	{"", "127.0.0.1:0"}, {"tcp6", "127.0.0.1:0"}, {"tcp4", "[::1]:0"}, {"unix", "/nosuch/dir"}}

// Reserve fails as package net's Listen does.
func TestReserveErrorsAsNet(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, a := range append(nowhere, [2]string{"tcp", busy.Addr().String()}, [2]string{"unix", taken},
		[2]string{"unix", filepath.Join(taken, "x")}, [2]string{"unixpacket", taken}) {
		_, want := net.Listen(a[0], a[1])
		_, err := sock.Reserve(a[0], a[1])
		if kinds(err) != kinds(want) {
			t.Errorf("%s:\n got %s\nwant %s", a, kinds(err), kinds(want))
		}
	}
}

var likeNets = map[string]func(s *likeNet){
	"dial errors": func(s *likeNet) {
		ctx := context.Background()
		for _, a := range [][2]string{{"tcp", ""}, {"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:http1"},
			{"tcp", "127.0.0.1:65536"}, {"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", "::1:1:x:["},
			{"tcp", "[::1"}, {"tcp", "1:2:3"}, {"tcp", "256.1.1.1.:80:"}, {"tcq", "127.0.0.1:80"}, {"", "x"},
			{"", "127.0.0.1:80"}, {"tcp6", "127.0.0.1:1"}, {"tcp4", "[::1]:1"}, {"tcp", s.free()},
			{"tcp", "127.0.0.1:-1"}, {"tcp", ":99999"}, {"tcp", "nosuchhost.invalid:http1"},
			{"udp", ""}, {"udp", "127.0.0.1"}, {"udp", "127.0.0.1:nosuch"}, {"udp6", "127.0.0.1:1"}, {"udp4",
				"[::1]:1"},
			{"udp", "127.0.0.1:99999"},
			{"unix", ""}, {"unix", s.name("missing")}, {"unix", s.name(strings.Repeat("x", 200))}, {"unixpacket",
				s.name("missing")},
			{"unixgram", s.name("missing")}, {"unixgram", ""}} {
			c, err := s.dial(ctx, net.Dialer{}, a[0], a[1])
			s.see("dial "+a[0]+" "+a[1], c == nil, err)
		}
	},
	"dial, the context": func(s *likeNet) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := s.dial(ctx, net.Dialer{}, "tcp", "127.0.0.1:1")
		s.see("canceled", err)
		caused, because := context.WithCancelCause(context.Background())
		because(errors.New("enough"))
		_, err = s.dial(caused, net.Dialer{}, "tcp", "127.0.0.1:1")
		s.see("with a cause", errors.Is(err, context.Canceled), err)
		late, end := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
		defer end()
		_, err = s.dial(late, net.Dialer{}, "tcp", "127.0.0.1:1")
		s.see("late", err)
		_, err = s.dial(ctx, net.Dialer{}, "unix", s.name("u"))
		s.see("unix", err)
		_, err = s.dial(context.Background(), net.Dialer{Timeout: -time.Second}, "tcp", "127.0.0.1:1")
		s.see("timeout", err)
		// Whether package net looks a name up before it sees the context's end is a matter of chance.
		_, err = s.dial(ctx, net.Dialer{}, "udp", "localhost:1")
		s.see("udp, a name", errors.Is(err, context.Canceled))
		for _, network := range []string{"udp", "tcp"} {
			_, err = s.dial(late, net.Dialer{}, network, "localhost:1")
			ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
			s.see("late, a name", network, ended)
		}
		for _, address := range []string{"127.0.0.1:1", "127.0.0.1", ""} {
			_, err = s.dial(ctx, net.Dialer{}, "udp", address)
			s.see("udp", address, err)
			_, err = s.dial(late, net.Dialer{}, "udp", address)
			s.see("udp, late", address, err)
			_, err = s.dial(late, net.Dialer{}, "tcp", address)
			s.see("tcp, late", address, err)
		}
		for _, ended := range []context.Context{ctx, late, caused} {
			for _, to := range [][2]string{{"tcp6", "[::1]:9"}, {"unix", "@nobody"}} {
				_, err = s.dial(ended, net.Dialer{}, to[0], to[1])
				s.see(to[1], err)
			}
			_, err = s.dial(ended, net.Dialer{}, "tcp", "a.test:80")
			s.see("a name", strings.Contains(err.Error(), "a.test"))
		}
		_, err = s.dial(context.Background(), net.Dialer{Timeout: -time.Second}, "udp", "127.0.0.1:1")
		s.see("udp, timeout", err)
	},
	"Close again": func(s *likeNet) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			at := s.name(network)
			if network == "tcp" {
				at = "127.0.0.1:0"
			}
			ln := s.listenOn(network, at)
			c := s.dialTo(network, ln.Addr().String())
			for i := range 3 {
				err := c.Close()
				s.see(network+" conn", i, err)
				err = ln.Close()
				s.see("listener", i, err)
			}
		}
		udp, gram := s.packet("udp", "127.0.0.1:0"), s.packet("unixgram", s.name("g"))
		dialled, sender := s.dialTo("udp", "127.0.0.1:9"), s.dialTo("unixgram", s.name("g"))
		for i := range 3 {
			err := udp.Close()
			s.see("udp", i, err)
			err = gram.Close()
			s.see("unixgram", i, err)
			err = dialled.Close()
			s.see("udp, dialled", i, err)
			err = sender.Close()
			s.see("unixgram, dialled", i, err)
		}
	},
	"dial this machine": func(s *likeNet) {
		for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
			ln := s.listenAlone(at)
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			for _, host := range []string{"", "0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "[::ffff:127.0.0.1]"} {
				for _, network := range []string{"tcp", "tcp4", "tcp6"} {
					c, err := s.dial(context.Background(), net.Dialer{}, network, host+":"+port)
					s.see(at+" "+network+" "+host, err)
					if err == nil {
						s.see("remote", c.RemoteAddr(), c.LocalAddr())
						c.Close()
					}
				}
			}
			ln.Close()
		}
		for _, host := range []string{"", "0.0.0.0", "[::]"} {
			for _, network := range []string{"udp", "udp4", "udp6"} {
				c, err := s.dial(context.Background(), net.Dialer{}, network, host+":9999")
				s.see(network+" "+host, err)
				if err == nil {
					s.see("remote", c.RemoteAddr(), c.LocalAddr())
					c.Close()
				}
			}
		}
	},
	"httptrace": func(s *likeNet) {
		ln := s.listenOn("tcp", "127.0.0.1:0")
		unix := s.listenOn("unix", s.name("u"))
		nobody := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, "udp", "127.0.0.1:9") // whose connect is not to be told of
			if err == nil {
				c.Close()
			}
			return nil, errors.New("there is no server")
		}}
		var mu sync.Mutex
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			DNSStart: func(info httptrace.DNSStartInfo) {
				mu.Lock()
				defer mu.Unlock()
				s.see("DNSStart", info.Host)
			},
			DNSDone: func(info httptrace.DNSDoneInfo) {
				mu.Lock()
				defer mu.Unlock()
				s.see("DNSDone", len(info.Addrs), info.Coalesced, info.Err != nil)
			},
			ConnectStart: func(network, addr string) {
				mu.Lock()
				defer mu.Unlock()
				s.see("ConnectStart", network, addr)
			},
			ConnectDone: func(network, addr string, err error) {
				mu.Lock()
				defer mu.Unlock()
				s.see("ConnectDone", network, addr, err)
			},
		})
		for _, at := range [][2]string{{"tcp", ln.Addr().String()}, {"tcp4", s.free()}, {"udp", "127.0.0.1:9"},
			{"unix", unix.Addr().String()}, {"unix", s.name("missing")}, {"tcp", "nobody.invalid:80"},
			{"tcp4", "nobody.invalid:80"}, {"udp", "nobody.invalid:80"}, {"tcp", "nonsense"}} {
			c, err := s.dial(ctx, net.Dialer{Resolver: nobody, Timeout: patience.Max}, at[0], at[1])
			s.see("dial "+at[0]+" "+at[1], err == nil)
			if err == nil {
				c.Close()
			}
		}
		ln.Close()
		unix.Close()
		some := httptrace.WithClientTrace(context.Background(), new(httptrace.ClientTrace)) // nothing is to be told
		_, err := s.dial(some, net.Dialer{}, "tcp", s.free())
		s.see("untold", err != nil)
	},
	"listen where somebody does": func(s *likeNet) {
		for _, network := range []string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"} {
			var at net.Addr
			var c io.Closer
			if network[:3] == "tcp" {
				ln, err := net.Listen(network, ":0")
				s.must(err)
				at, c = ln.Addr(), ln
			} else {
				p, err := net.ListenPacket(network, ":0")
				s.must(err)
				at, c = p.LocalAddr(), p
			}
			_, port, _ := net.SplitHostPort(at.String())
			for _, host := range []string{"", "0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "127.0.0.1", "[::1]"} {
				err := error(nil)
				if network[:3] == "tcp" {
					_, err = s.listen(net.ListenConfig{}, network, host+":"+port)
				} else {
					_, err = s.listenPacket(net.ListenConfig{}, network, host+":"+port)
				}
				s.see(network+" "+host, err)
			}
			c.Close()
		}
	},
	"listen on a group": func(s *likeNet) {
		for _, group := range []string{"224.0.0.251", "[ff02::fb]"} {
			for _, network := range []string{"udp", "udp4", "udp6"} {
				one, err := s.listenPacket(net.ListenConfig{}, network, group+":0")
				s.see(network+" "+group, err)
				if err != nil {
					continue
				}
				s.see("at", one.LocalAddr())
				_, port, _ := net.SplitHostPort(one.LocalAddr().String())
				two, err := s.listenPacket(net.ListenConfig{}, network, group+":"+port)
				s.see("another", err)
				_, err = s.listenPacket(net.ListenConfig{}, network, ":"+port)
				s.see("alone", err)
				s.see("Close", two.Close(), one.Close())
				alone, err := s.listenPacket(net.ListenConfig{}, network, ":"+port)
				s.must(err)
				_, err = s.listenPacket(net.ListenConfig{}, network, group+":"+port)
				s.see("beside one that is alone", err)
				alone.Close()
			}
		}
	},
	"dial from": func(s *likeNet) {
		for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
			ln := s.listenOn("tcp", at)
			for _, ip := range []net.IP{nil, net.IPv4zero, net.IPv6zero, net.IPv4(127, 0, 0, 1), net.IPv6loopback, {1,
				2}} {
				for _, version := range []string{"", "4", "6"} {
					if ip.Equal(net.IPv6zero) && !haveIPv6() {
						continue // package net has a socket of IPv6 for it, and this one none where IPv4 does
					}
					for _, from := range []net.Addr{&net.TCPAddr{IP: ip}, &net.UDPAddr{IP: ip}} {
						network := from.Network() + version
						c, err := s.dial(context.Background(), net.Dialer{LocalAddr: from}, network, ln.Addr().String())
						s.see(network+" "+at+" from "+ip.String(), err)
						if err == nil {
							s.see("ends", c.LocalAddr(), c.RemoteAddr())
							c.Close()
						}
					}
				}
			}
			_, err := s.dial(context.Background(), net.Dialer{LocalAddr: &net.UDPAddr{}}, "tcp", ln.Addr().String())
			s.see("from a UDP address", err)
			_, err = s.dial(context.Background(), net.Dialer{LocalAddr: (*net.TCPAddr)(nil)}, "tcp", ln.Addr().String())
			s.see("from nil", err)
			for _, from := range []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, ln.Addr(),
				&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}} { // a port in use, and an address of others
				_, err = s.dial(context.Background(), net.Dialer{LocalAddr: from}, "tcp4", s.free())
				s.see("refused", err)
			}
			ln.Close()
		}
	},
	"listen errors": func(s *likeNet) {
		ln := s.listenOn("tcp", "127.0.0.1:0")
		defer ln.Close()
		for _, a := range append(nowhere, [2]string{"tcp", ln.Addr().String()},
			[2]string{"unix", s.name(strings.Repeat("x", 200))}) {
			_, err := s.listen(net.ListenConfig{}, a[0], a[1])
			s.see("listen "+a[0], err)
		}
		for _, a := range [][2]string{{"udp", "127.0.0.1"}, {"udp", "127.0.0.1:nosuch"}, {"udp", "1.2.3.4:0"}, {"udq",
			"127.0.0.1:0"},
			{"udp6", "127.0.0.1:0"}, {"udp4", "[::1]:0"}, {"unixgram", "/nosuch/dir"}} {
			_, err := s.listenPacket(net.ListenConfig{}, a[0], a[1])
			s.see("packet "+a[0], err)
		}
		c := s.packet("udp", "127.0.0.1:0")
		_, err := s.listenPacket(net.ListenConfig{}, "udp", c.LocalAddr().String())
		s.see("packet twice", err)
		c.Close()
		u := s.listenOn("unix", s.name("u"))
		_, err = s.listen(net.ListenConfig{}, "unix", s.name("u"))
		s.see("unix twice", err)
		u.Close()
		_, err = os.Stat(s.name("u"))
		s.see("file", os.IsNotExist(err))
	},
	"listen, addresses": func(s *likeNet) {
		for _, a := range [][2]string{{"tcp", ":0"}, {"tcp4", ":0"}, {"tcp6", ":0"}, {"tcp", "0.0.0.0:0"}, {"tcp",
			"[::]:0"},
			{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", "localhost:0"}, {"tcp", ""}, {"unix", s.name("a")},
			{"unix", "@x" + s.dir},
			{"unix", "\x00y" + s.dir}, {"unixpacket", s.name("p")}} {
			ln, err := s.listen(net.ListenConfig{}, a[0], a[1])
			s.see("listen "+a[0]+" "+a[1], err)
			if err != nil {
				continue
			}
			s.see("addr", fmt.Sprintf("%T %q %s", ln.Addr(), ln.Addr(), ln.Addr().Network()), ln.Addr() == ln.Addr())
			ln.Close()
		}
		for _, a := range [][2]string{{"udp", ":0"}, {"udp4", ":0"}, {"udp6", ":0"}, {"udp", "0.0.0.0:0"}, {"udp",
			"[::1]:0"},
			{"unixgram", s.name("g")}, {"unixgram", "@g" + s.dir}, {"unixgram", "\x00h" + s.dir}} {
			c, err := s.listenPacket(net.ListenConfig{}, a[0], a[1])
			s.see("packet "+a[0]+" "+a[1], err)
			if err != nil {
				continue
			}
			s.see("addr", fmt.Sprintf("%T %q %s", c.LocalAddr(), c.LocalAddr(), c.LocalAddr().Network()),
				c.LocalAddr() == c.LocalAddr())
			c.Close()
		}
	},
	"unix, abstract": func(s *likeNet) {
		for _, name := range []string{"\x00n" + s.dir, "@n" + s.dir} {
			ln := s.listenOn("unix", name)
			c, err := s.dial(context.Background(), net.Dialer{}, "unix", name)
			s.see("dial", err)
			if err == nil {
				s.see("ends", fmt.Sprintf("%q %q", c.LocalAddr(), c.RemoteAddr()))
				c.Close()
			}
			ln.Close()
		}
	},
	"unix, addresses": func(s *likeNet) {
		for _, network := range unixNetworks {
			for _, name := range []string{s.name("a"), "@a" + s.dir, ""} {
				for _, own := range []net.Addr{nil, &net.UnixAddr{Name: s.name("own"), Net: network},
					&net.UnixAddr{Net: network}} {
					ln := s.listenOn(network, name)
					c, err := s.dial(context.Background(), net.Dialer{LocalAddr: own}, network, ln.Addr().String())
					s.must(err)
					a, err := ln.Accept()
					s.must(err)
					for _, addr := range []net.Addr{ln.Addr(), c.LocalAddr(), c.RemoteAddr(), a.LocalAddr(),
						a.RemoteAddr()} {
						text := addr.String()
						if name == "" && text == ln.Addr().String() {
							text = "what the kernel chose"
						}
						s.see("address", fmt.Sprintf("%T %s %q", addr, addr.Network(), text))
					}
					a.Close()
					c.Close()
					ln.Close()
					os.Remove(s.name("own"))
				}
			}
		}
	},
	"unix, errors": func(s *likeNet) {
		refused := errors.New("refused")
		for i, network := range unixNetworks {
			other := unixNetworks[1-i]
			taken, stale, plain := s.name(network), s.name(network+"-stale"), s.name(network+"-plain")
			left, err := net.ListenUnix(network, &net.UnixAddr{Name: stale, Net: network})
			s.must(err)
			left.SetUnlinkOnClose(false)
			left.Close()
			s.must(os.WriteFile(plain, nil, 0o600))
			ln, err := net.Listen(other, taken)
			s.must(err)
			for _, at := range []string{taken + "-none", stale, plain, "@" + taken, taken, "",
				"@" + strings.Repeat("x", 200), filepath.Join(taken+"-none", "x"), filepath.Join(taken, "x")} {
				_, err = s.dial(context.Background(), net.Dialer{}, network, at)
				s.see(network+" dial", err)
				if at != "@"+taken && at != taken+"-none" && at != "" {
					_, err = s.listen(net.ListenConfig{}, network, at)
					s.see(network+" listen", err)
				}
			}
			control := func(network, address string, _ syscall.RawConn) error {
				s.see("Control", network, address)
				return refused
			}
			_, err = s.dial(context.Background(), net.Dialer{Control: control}, network, taken)
			s.see(network+" dial", err)
			_, err = s.listen(net.ListenConfig{Control: control}, network, taken+"-free")
			s.see(network+" listen", err)
			s.see("there", exists(taken), exists(stale), exists(taken+"-free"))
			ln.Close()
		}
	},
	"unix, ReadFromUnix": func(s *likeNet) {
		type ends interface {
			ReadFromUnix(b []byte) (int, *net.UnixAddr, error)
			WriteToUnix(b []byte, addr *net.UnixAddr) (int, error)
		}
		conn, peer := s.pair("unix", s.name("u"))
		c := conn.(ends)
		peer.Write([]byte("four"))
		n, from, err := c.ReadFromUnix(make([]byte, 9))
		s.see("read", n, from.String(), err)
		for _, to := range []*net.UnixAddr{nil, {Name: s.name("u"), Net: "unix"}} {
			n, err = c.WriteToUnix([]byte("x"), to)
			s.see("write", n, err)
		}
		peer.Close()
		n, from, err = c.ReadFromUnix(make([]byte, 9))
		s.see("read at the end", n, from.String(), err)
		conn.Close()
	},
	"listener closed": func(s *likeNet) {
		ln := s.listenOn("tcp", "127.0.0.1:0")
		s.see("close", ln.Close())
		c, err := ln.Accept()
		s.see("accept", c == nil, err)
		for _, network := range unixNetworks {
			u := s.listenOn(network, s.name("u"))
			s.see("close", u.Close())
			_, err = u.Accept()
			s.see("accept", err)
		}
	},
	"listen, Close in Accept": func(s *likeNet) {
		ln := s.listenOn("tcp", "127.0.0.1:0")
		done := make(chan error)
		go func() { _, err := ln.Accept(); done <- err }()
		s.see("close", ln.Close())
		s.see("accept", <-done)
	},
	"conn closed": func(s *likeNet) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			address := s.name(network)
			if network == "tcp" {
				address = "127.0.0.1:0"
			}
			c, peer := s.pair(network, address)
			c.SetReadDeadline(time.Unix(1, 0))
			_, err := c.Read(make([]byte, 1))
			s.see("read", err)
			s.see("CloseWrite", c.(interface{ CloseWrite() error }).CloseWrite())
			_, err = c.Write([]byte("x"))
			s.see("write", err)
			s.see("close", c.Close())
			s.closed(c)
			peer.Close()
		}
	},
	"conn, errors": func(s *likeNet) {
		for _, e := range connErrors {
			c, peer := s.pair("tcp", "127.0.0.1:0")
			s.see(e.name, e.do(c.(conn), peer.(tcpPeer)))
			c.Close()
			peer.Close()
		}
	},
	"conn, Close in Read": func(s *likeNet) {
		c, peer := s.pair("tcp", "127.0.0.1:0")
		done := make(chan error)
		go func() { _, err := c.Read(make([]byte, 1)); done <- err }()
		s.see("close", c.Close())
		s.see("read", <-done)
		peer.Close()
	},
	"conn, ends": func(s *likeNet) {
		c, peer := s.pair("tcp", "127.0.0.1:0")
		peer.(*net.TCPConn).CloseWrite()
		n, err := c.Read(make([]byte, 1))
		s.see("EOF", n, err)
		n, err = c.Read(nil)
		s.see("read nothing", n, err)
		n, err = c.Write(nil)
		s.see("write nothing", n, err)
		peer.Close()
		c.Close()
		c, peer = s.pair("tcp", "127.0.0.1:0")
		peer.(*net.TCPConn).SetLinger(0)
		peer.Close()
		n, err = c.Read(make([]byte, 1))
		s.see("reset", n, err)
		_, err = c.Write([]byte("x"))
		s.see("write behind it", err)
		c.Close()
		c, peer = s.pair("tcp", "127.0.0.1:0")
		h := c.(interface {
			CloseRead() error
			CloseWrite() error
		})
		s.see("CloseRead", h.CloseRead())
		n, err = c.Read(make([]byte, 1))
		s.see("read", n, err)
		s.see("CloseRead", h.CloseRead())
		s.see("CloseWrite", h.CloseWrite())
		_, err = c.Write([]byte("x"))
		s.see("write", err)
		peer.Close()
		c.Close()
	},
	"conn, deadlines": func(s *likeNet) {
		c, peer := s.pair("tcp", "127.0.0.1:0")
		defer peer.Close()
		for _, d := range []time.Duration{-time.Second, time.Millisecond} {
			s.see("set", c.SetDeadline(time.Now().Add(d)))
			n, err := c.Read(make([]byte, 1))
			s.see("read", n, err)
			c.SetDeadline(time.Time{})
		}
		c.SetWriteDeadline(time.Now().Add(-time.Second))
		n, err := c.Write([]byte("x"))
		s.see("write", n, err)
		c.SetDeadline(time.Time{})
		n, err = c.Write([]byte("x"))
		s.see("write", n, err)
		c.Close()
	},
	"conn, methods": func(s *likeNet) {
		c, peer := s.pair("tcp", "127.0.0.1:0")
		defer peer.Close()
		defer c.Close()
		t := c.(tcpMethods)
		s.see("options", t.SetNoDelay(false), t.SetLinger(1), t.SetLinger(-1), t.SetKeepAlive(true),
			t.SetKeepAlivePeriod(time.Minute), t.SetReadBuffer(4096), t.SetWriteBuffer(4096), t.SetReadBuffer(-1))
		s.see("addresses", c.LocalAddr() == c.LocalAddr(), c.RemoteAddr() == c.RemoteAddr(), c.LocalAddr().Network())
	},
	"packet closed": func(s *likeNet) {
		c := s.packet("udp", "127.0.0.1:0")
		s.see("close", c.Close())
		s.closed(c.(net.Conn))
		_, _, err := c.ReadFrom(make([]byte, 1))
		s.see("ReadFrom", err)
		_, err = c.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
		s.see("WriteTo", err)
		c = s.packet("unixgram", s.name("g"))
		s.see("close", c.Close())
		s.closed(c.(net.Conn))
	},
	"packet, Close in Read": func(s *likeNet) {
		c := s.packet("udp", "127.0.0.1:0")
		done := make(chan error)
		go func() { _, _, err := c.ReadFrom(make([]byte, 1)); done <- err }()
		s.see("close", c.Close())
		s.see("read", <-done)
	},
	"packet errors": func(s *likeNet) {
		c := s.packet("udp", "127.0.0.1:0")
		u := c.(udpMethods)
		gram := s.packet("unixgram", s.name("wrong"))
		for _, to := range []net.Addr{&net.TCPAddr{}, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil} {
			_, err := c.WriteTo([]byte("x"), to)
			s.see("another type", err)
			_, err = gram.WriteTo([]byte("x"), to)
			s.see("another type", err)
		}
		gram.Close()
		n, err := c.WriteTo(make([]byte, 70000), c.LocalAddr())
		s.see("too long", n, err)
		_, err = u.WriteToUDP([]byte("x"), nil)
		s.see("nil", err)
		_, err = c.(net.Conn).Write([]byte("x"))
		s.see("Write without a peer", err)
		_, err = u.WriteToUDPAddrPort([]byte("x"), netip.AddrPort{})
		s.see("no address", err != nil)
		_, err = u.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[::1]:9"))
		s.see("IPv6 from IPv4", err)
		_, _, err = u.WriteMsgUDP([]byte("x"), nil, nil)
		s.see("no address", err)
		c.SetReadDeadline(time.Now().Add(-1))
		_, _, err = c.ReadFrom(make([]byte, 1))
		s.see("late", err)
		c.SetWriteDeadline(time.Now().Add(-1))
		_, err = c.WriteTo([]byte("x"), c.LocalAddr())
		s.see("late", err)
		s.see("remote", c.(net.Conn).RemoteAddr())
		c.Close()
		peer := s.packet("udp", "127.0.0.1:0")
		d := s.dialTo("udp", peer.LocalAddr().String())
		_, err = d.(net.PacketConn).WriteTo([]byte("x"), peer.LocalAddr())
		s.see("WriteTo of one that is connected", err)
		peer.Close()
		d.Write([]byte("x"))
		_, err = d.Read(make([]byte, 1))
		s.see("refused", err)
		d.Close()
	},
	"packet, mapped": func(s *likeNet) {
		for _, network := range []string{"udp", "udp4", "udp6"} {
			at := "127.0.0.1:0"
			if network != "udp4" {
				at = ":0"
			}
			c := s.packet(network, at)
			u := c.(udpMethods)
			to := netip.MustParseAddrPort(c.LocalAddr().String()).Port()
			for _, ip := range []string{"127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0", "::"} {
				ap := netip.AddrPortFrom(netip.MustParseAddr(ip), to)
				n, err := u.WriteToUDPAddrPort([]byte("x"), ap)
				s.see(network+" WriteToUDPAddrPort "+ip, n, err)
				n, oobn, err := u.WriteMsgUDPAddrPort([]byte("x"), nil, ap)
				s.see(network+" WriteMsgUDPAddrPort "+ip, n, oobn, err)
				n, err = u.WriteToUDP([]byte("x"), net.UDPAddrFromAddrPort(ap))
				s.see(network+" WriteToUDP "+ip, n, err)
				if err == nil {
					_, from, err := u.ReadFromUDPAddrPort(make([]byte, 1))
					s.see("from", from, err)
					_, from2, err := u.ReadFromUDP(make([]byte, 1))
					s.see("from", from2, len(from2.IP), err)
				}
			}
			c.Close()
		}
	},
	"zero values": func(s *likeNet) {
		ln := s.listenOn("tcp", "127.0.0.1:0")
		zero := func(of any) any { return reflect.New(reflect.TypeOf(of).Elem()).Interface() }
		z := zero(ln).(net.Listener)
		_, err := z.Accept()
		s.see("accept", err)
		s.see("close", z.Close())
		c := zero(s.dialTo("tcp", ln.Addr().String())).(net.Conn)
		_, err = c.Read(nil)
		s.see("read", err)
		_, err = c.Write(nil)
		s.see("write", err)
		s.see("close", c.Close(), c.SetDeadline(time.Now()))
		p := s.packet("udp", "127.0.0.1:0")
		q := zero(p).(net.PacketConn)
		_, _, err = q.ReadFrom(nil)
		s.see("ReadFrom", err)
		_, err = q.WriteTo(nil, nil)
		s.see("WriteTo", err)
		s.see("close", q.Close(), p.Close(), ln.Close())
	},
	"Control": func(s *likeNet) {
		for _, name := range []int{15, 2} { // SO_REUSEPORT, SO_REUSEADDR
			lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
				c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, name, 1) })
				return err
			}}
			a, err := s.listen(lc, "tcp", "127.0.0.1:0")
			s.see("listen", err)
			b, err := s.listen(lc, "tcp", a.Addr().String())
			s.see("listen too", err)
			if err == nil {
				b.Close()
			}
			a.Close()
			p, err := s.listenPacket(lc, "udp", "127.0.0.1:0")
			s.see("packet", err)
			q, err := s.listenPacket(lc, "udp", p.LocalAddr().String())
			s.see("packet too", err)
			if err == nil {
				q.Close()
			}
			p.Close()
		}
		_, err := s.listen(net.ListenConfig{Control: func(string, string, syscall.RawConn) error { return errHello }},
			"tcp",
			"127.0.0.1:0")
		s.see("refused", err)
		_, err = s.dial(context.Background(), net.Dialer{Control: func(network, address string,
			_ syscall.RawConn) error {
			return errors.New(network + address)
		}}, "tcp", "127.0.0.1:9")
		s.see("refused", err)
	},
	"Control, what it sets": func(s *likeNet) {
		const protoIPv6, v6only, reuseaddr = 41, 26, 2
		for _, o := range []struct {
			network, address   string
			level, name, value int
		}{
			{"tcp", ":0", protoIPv6, v6only, 1}, {"tcp6", ":0", protoIPv6, v6only, 0},
			{"udp", ":0", protoIPv6, v6only, 1}, {"udp6", ":0", protoIPv6, v6only, 0},
			{"tcp", "127.0.0.1:0", syscall.SOL_SOCKET, reuseaddr, 0},
		} {
			lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
				c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), o.level, o.name, o.value) })
				return err
			}}
			var ln io.Closer
			var err error
			if strings.HasPrefix(o.network, "udp") {
				ln, err = s.listenPacket(lc, o.network, o.address)
			} else {
				ln, err = s.listen(lc, o.network, o.address)
			}
			s.must(err)
			raw, err := ln.(syscall.Conn).SyscallConn()
			s.must(err)
			got := -1
			raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), o.level, o.name) })
			s.see("has", o.network, o.name, got, err)
			ln.Close()
		}
	},
	"no such port": func(s *likeNet) {
		peer := s.packet("udp", "127.0.0.1:0")
		port := peer.LocalAddr().(*net.UDPAddr).Port
		for _, at := range []string{"127.0.0.1:0", ":0"} {
			c := s.packet("udp", at)
			for _, p := range []int{-1, 65536, 65536 + port, port - 65536, math.MaxInt32} {
				to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p}
				n, err := c.WriteTo([]byte("x"), to)
				s.see("WriteTo", n, err)
				n, oobn, err := c.(udpMethods).WriteMsgUDP([]byte("x"), nil, to)
				s.see("WriteMsgUDP", n, oobn, err)
			}
			c.Close()
		}
		peer.Close()
		for _, p := range []int{-1, 65536, 65536 + port} {
			for _, from := range []net.Addr{&net.TCPAddr{Port: p}, &net.UDPAddr{Port: p},
				&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p}} {
				_, err := s.dial(context.Background(), net.Dialer{LocalAddr: from}, from.Network(), "127.0.0.1:9")
				s.see("from "+from.String(), err)
			}
		}
	},
	"no such IP": func(s *likeNet) {
		for _, at := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
			c := s.packet("udp", at)
			for _, ip := range []net.IP{{1}, {1, 2, 3, 4, 5}, make(net.IP, 17)} {
				to := &net.UDPAddr{IP: ip, Port: 9}
				n, err := c.WriteTo([]byte("x"), to)
				s.see("WriteTo", n, err)
				n, oobn, err := c.(udpMethods).WriteMsgUDP([]byte("x"), nil, to)
				s.see("WriteMsgUDP", n, oobn, err)
			}
			c.Close()
		}
	},
	"unix, dial from": func(s *likeNet) {
		ln, gram := s.listenOn("unix", s.name("u")), s.packet("unixgram", s.name("g"))
		for i, d := range []struct {
			network, to string
			from        net.Addr
		}{
			{"unix", "u", &net.UnixAddr{Name: s.name("u"), Net: "unix"}},
			{"unix", "none", &net.UnixAddr{Name: s.name("x1"), Net: "unix"}},
			{"unix", "none", &net.UnixAddr{Net: "unix"}},
			{"unix", "u", &net.UnixAddr{Name: s.name("x2"), Net: "unixgram"}},
			{"unix", "u", &net.UnixAddr{Name: s.name("x3")}},
			{"unix", "u", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}},
			{"unixpacket", "u", &net.UnixAddr{Name: s.name("x4"), Net: "unixpacket"}},
			{"unixgram", "none", &net.UnixAddr{Name: s.name("x5"), Net: "unixgram"}},
			{"unixgram", "g", &net.UnixAddr{Name: s.name("g"), Net: "unixgram"}},
			{"unixgram", "none", &net.UnixAddr{Net: "unixgram"}},
			{"unixgram", "g", &net.UnixAddr{Name: s.name("x6"), Net: "unix"}},
			{"unixgram", "g", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}},
		} {
			_, err := s.dial(context.Background(), net.Dialer{LocalAddr: d.from}, d.network, s.name(d.to))
			s.see("dial", i, err)
		}
		ln.Close()
		gram.Close()
	},
	"Control, its names": func(s *likeNet) {
		ln, gram := s.listenOn("unix", s.name("u")), s.packet("unixgram", s.name("g"))
		for _, own := range []string{"", s.name("own")} {
			for _, to := range [][2]string{{"unix", s.name("u")}, {"unixgram", s.name("g")}} {
				c, err := s.dial(context.Background(), net.Dialer{LocalAddr: &net.UnixAddr{Name: own, Net: to[0]},
					Control: func(network, address string, _ syscall.RawConn) error {
						s.see("Control", network, address)
						return nil
					}}, to[0], to[1])
				s.must(err)
				s.see("own", c.LocalAddr())
				c.Close()
				os.Remove(s.name("own"))
			}
		}
		ln.Close()
		gram.Close()
	},
	"dial, too late": func(s *likeNet) {
		ln, gram := s.listenOn("unix", s.name("u")), s.packet("unixgram", s.name("g"))
		packets := s.listenOn("unixpacket", s.name("p"))
		for _, to := range [][2]string{{"unix", "u"}, {"unixpacket", "p"}, {"unixgram", "g"}} {
			for _, late := range []net.Dialer{{Timeout: -time.Second}, {Deadline: time.Unix(1, 0)}} {
				_, err := s.dial(context.Background(), late, to[0], s.name(to[1]))
				s.see(to[0], err)
				late.LocalAddr = &net.UnixAddr{Name: s.name("own"), Net: to[0]}
				_, err = s.dial(context.Background(), late, to[0], s.name(to[1]))
				s.see(to[0], err, exists(s.name("own")))
			}
		}
		for _, from := range []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{}} {
			_, err := s.dial(context.Background(), net.Dialer{Timeout: -time.Second, LocalAddr: from}, from.Network(),
				"127.0.0.1:9")
			s.see("from "+from.String(), err)
		}
		ln.Close()
		gram.Close()
		packets.Close()
	},
	"ControlContext": func(s *likeNet) {
		for _, network := range []string{"tcp", "udp"} {
			for _, limit := range []time.Duration{0, time.Hour} {
				d := net.Dialer{Timeout: limit}
				d.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
					_, ok := ctx.Deadline()
					s.see("it has a deadline", network, ok, ctx.Err())
					return errHello
				}
				_, err := s.dial(context.Background(), d, network, "127.0.0.1:9")
				s.see("refused", err)
			}
		}
	},
	"packet, zones": func(s *likeNet) {
		local := linkLocal(s.t)
		ifi, err := net.InterfaceByName(local.Zone())
		s.must(err)
		number := local.WithZone(fmt.Sprint(ifi.Index))
		for _, at := range []netip.Addr{local, number} {
			c := s.packet("udp", netip.AddrPortFrom(at, 0).String())
			s.see("local", c.LocalAddr())
			d := s.dialTo("udp", c.LocalAddr().String())
			s.see("remote", d.RemoteAddr(), d.LocalAddr())
			peer := netip.MustParseAddrPort(d.LocalAddr().String())
			u := c.(udpMethods)
			for range 4 {
				d.Write([]byte("x"))
			}
			_, from, err := c.ReadFrom(make([]byte, 1))
			s.see("ReadFrom", from, err)
			_, ap, err := u.ReadFromUDPAddrPort(make([]byte, 1))
			s.see("ReadFromUDPAddrPort", ap == peer, err)
			m := c.(udpReader)
			_, _, _, addr, err := m.ReadMsgUDP(make([]byte, 1), nil)
			s.see("ReadMsgUDP", addr, err)
			_, _, _, ap, err = m.ReadMsgUDPAddrPort(make([]byte, 1), nil)
			s.see("ReadMsgUDPAddrPort", ap == peer, err)
			n, err := u.WriteToUDPAddrPort([]byte("x"), ap)
			s.see("an answer", n, err)
			d.Close()
			c.SetDeadline(time.Unix(1, 0))
			_, _, err = c.ReadFrom(make([]byte, 1))
			s.see("late", err)
			_, err = u.WriteToUDPAddrPort([]byte("x"), peer)
			s.see("late", err)
			c.Close()
		}
		_, err = s.listenPacket(net.ListenConfig{}, "udp", netip.AddrPortFrom(local.Next(), 0).String())
		s.see("listen on another's", err)
	},
	"networks in errors": func(s *likeNet) {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			ln := s.listenOn(network, ":0")
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			host := "127.0.0.1"
			if network == "tcp6" {
				host = "::1"
			}
			c := s.dialTo(network, net.JoinHostPort(host, port))
			a, err := ln.Accept()
			s.must(err)
			for _, c := range []net.Conn{c, a} {
				s.see("network", c.LocalAddr().Network(), c.RemoteAddr().Network())
				c.SetDeadline(time.Unix(1, 0))
				_, err = c.Read(make([]byte, 1))
				s.see("read", err)
				c.Close()
				_, err = c.Write(make([]byte, 1))
				s.see("write", err)
			}
			s.see("network", ln.Addr().Network(), ln.Close())
			_, err = ln.Accept()
			s.see("accept", err)
		}
	},
	"dial, ended in the look-up": func(s *likeNet) {
		for _, network := range []string{"tcp", "tcp4", "udp"} {
			for _, cause := range []error{nil, errors.New("enough")} {
				ctx, because := context.WithCancelCause(context.Background())
				d := net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(asks context.Context, _, _ string) (
					net.Conn, error) {
					because(cause)
					<-asks.Done()
					return nil, asks.Err()
				}}}
				_, err := s.dial(ctx, d, network, "a.test.:9")
				s.see(network, err)
			}
		}
	},
	"names of another family": func(s *likeNet) {
		server := newNameServer(s.t, map[string][]netip.Addr{"four.test": addrsOf("127.0.0.1"),
			"six.test": addrsOf("::1")})
		for _, from := range []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv6loopback},
			&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv6loopback}} {
			for _, version := range []string{"", "4", "6"} {
				for _, name := range []string{"four", "six"} {
					suits := (name == "four") == strings.Contains(from.String(), ".")
					if network := from.Network() + version; !suits {
						_, err := s.dial(context.Background(), net.Dialer{LocalAddr: from, Resolver: server.resolver()},
							network, name+".test.:9")
						s.see(network+" "+name+" from "+from.String(), err)
					}
				}
			}
		}
	},
	"File of a name": func(s *likeNet) {
		p := s.packet("unixgram", s.name("g"))
		f, err := p.(interface{ File() (*os.File, error) }).File()
		s.must(err)
		p.Close()
		_, err = os.Stat(s.name("g"))
		s.see("the name that it was given", err)
		f.Close()
	},
	"File": func(s *likeNet) {
		c, peer := s.pair("tcp", "127.0.0.1:0")
		f, err := c.(interface{ File() (*os.File, error) }).File()
		s.see("file", f.Name(), err)
		peer.Write([]byte("x"))
		n, err := f.Read(make([]byte, 1))
		s.see("read", n, err)
		f.Close()
		peer.Close()
		c.Close()
	},
	"names": func(s *likeNet) {
		ln := s.listenOn("tcp", "localhost:0")
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		c := s.dialTo("tcp", "localhost:"+port)
		s.see("ends", c.LocalAddr(), c.RemoteAddr())
		s.see("accepted", c.Close(), ln.Close())
		_, err := s.dial(context.Background(), net.Dialer{}, "tcp", "localhost:"+port)
		var op *net.OpError
		s.see("refused", errors.As(err, &op), errors.Is(err, syscall.ECONNREFUSED))
	},
}

type tcpMethods interface {
	SetNoDelay(bool) error
	SetLinger(int) error
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

type udpReader interface {
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
	ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
}

type udpMethods interface {
	WriteToUDP([]byte, *net.UDPAddr) (int, error)
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error)
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (int, int, error)
	ReadFromUDP([]byte) (int, *net.UDPAddr, error)
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
}

// closed sees what a closed connection says.
func (s *likeNet) closed(c net.Conn) {
	_, err := c.Read(make([]byte, 1))
	s.see("read", err)
	_, err = c.Read(nil)
	s.see("read nothing", err)
	_, err = c.Write([]byte("x"))
	s.see("write", err)
	s.see("Close", c.Close())
	s.see("deadlines", c.SetDeadline(time.Now()), c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}))
	if b, ok := c.(interface{ SetReadBuffer(int) error }); ok {
		s.see("SetReadBuffer", b.SetReadBuffer(4096))
	}
	if f, ok := c.(interface{ File() (*os.File, error) }); ok {
		_, err := f.File()
		s.see("File", err)
	}
	if r, ok := c.(syscall.Conn); ok {
		raw, err := r.SyscallConn()
		s.see("SyscallConn", err)
		if err == nil {
			s.see("Control", raw.Control(func(uintptr) {}))
			s.see("Read", raw.Read(func(uintptr) bool { return true }))
		}
	}
	if h, ok := c.(interface{ CloseWrite() error }); ok && c.LocalAddr().Network() != "unixgram" {
		s.see("CloseWrite", h.CloseWrite())
	}
	if o, ok := c.(tcpMethods); ok && c.LocalAddr().Network() == "tcp" {
		s.see("options", o.SetNoDelay(true), o.SetLinger(1), o.SetKeepAlive(true))
	}
}
