//go:build linux

package sock_test

import (
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

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// fullListener makes a listener whose backlog is full, so that a dial gets no
// answer.
func fullListener(t *testing.T) (addr string, cleanUp func()) {
	t.Helper()
	ap, cleanUp, err := socktest.Swallow(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return ap.String(), cleanUp
}

// late reports whether a dial's time was over before it came to a connect.
func late(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// A dial that waits ends at its timeout, by cancel, and when the name takes too
// long, and leaves no descriptor.
func TestDialThatWaits(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		refusing := socktest.Refusing(t)
		addr, full := fullListener(t)
		defer full()
		before := sockets(t)
		onLoop(t, cfg, func(l *ringo.Loop) {
			name := "localhost" + addr[strings.LastIndexByte(addr, ':'):]
			for timeout, address := range map[time.Duration]string{10 * time.Millisecond: addr,
				11 * time.Millisecond: name} {
				d := sock.Dialer{Timeout: timeout}
				begin := time.Now()
				c, err := d.Dial(l, "tcp4", address)
				for tries := 0; tries < 20 && late(err); tries++ { // before the connect: it is a slow day
					d.Timeout *= 2
					c, err = d.Dial(l, "tcp4", address)
				}
				if err == nil {
					c.Close()
					t.Fatalf("the dial to a full listener went through after %v", time.Since(begin))
				}
				wantTimeout(t, "Dial", err)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Dial: %v, want context.DeadlineExceeded too", err)
				}
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "dial" || op.Addr == nil || op.Addr.String() != addr {
					t.Errorf("Dial: %v", err)
				}
				if took := time.Since(begin); took < timeout {
					t.Errorf("the timeout of %v came after %v", timeout, took)
				}
			}
			var err error
			task := l.Go(func() { _, err = sock.Dial(l, "tcp", addr) })
			others(l)
			task.Cancel()
			task.Wait()
			wantCanceled(t, "Dial", err)
			if os.IsTimeout(err) {
				t.Error("a cancelled dial looks like a timeout")
			}

			d := sock.Dialer{Timeout: time.Nanosecond}
			_, err = d.Dial(l, "tcp", "name-that-does-not-exist.invalid:80")
			var dns *net.DNSError
			if !late(err) || !errors.As(err, &dns) || dns.Name != "name-that-does-not-exist.invalid" {
				t.Errorf("Dial of a name: %v, want a look-up's timeout", err)
			}
			_, err = sock.Dial(l, "tcp", refusing)
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Dial: %v, want ECONNREFUSED", err)
			}
			eventuallyOn(t, l, "no socket left", func() bool { return sockets(t) == before })
		})
	})
}

// The addresses of a family are tried in the order that package net has sorted them
// into (RFC 6724), and not as the server listed them.
func TestDialKeepsTheResolversOrder(t *testing.T) {
	answers := addrsOf("192.0.2.1", "127.0.0.1", "2001:db8::1", "::1")
	server := newNameServer(t, map[string][]netip.Addr{"a.test": answers})
	errStop := errors.New("nothing is to be connected to")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, network := range []string{"tcp4", "tcp6", "tcp"} {
				tried := map[bool][]netip.Addr{}
				d := sock.Dialer{Resolver: server.resolver(),
					Control: func(_, address string, _ syscall.RawConn) error {
						a := netip.MustParseAddrPort(address).Addr()
						tried[a.Is4()] = append(tried[a.Is4()], a)
						return errStop
					}}
				if _, err := d.Dial(l, network, "a.test.:80"); !errors.Is(err, errStop) &&
					!errors.Is(err, syscall.EAFNOSUPPORT) {
					t.Errorf("%s: %v", network, err)
				}
				for is4, got := range tried {
					var want []netip.Addr
					offloaded(t, l, func() (err error) {
						want, err = server.resolver().LookupNetIP(t.Context(),
							map[bool]string{true: "ip4", false: "ip6"}[is4], "a.test.")
						for i := range want {
							want[i] = want[i].Unmap()
						}
						return err
					})
					if !slices.Equal(got, want) || !want[0].IsLoopback() {
						t.Errorf("%s: tried %v, want %v, with the loopback first", network, got, want)
					}
				}
				if network != "tcp6" && len(tried[true]) != 2 { // there may be no IPv6 here
					t.Errorf("%s: tried %v", network, tried)
				}
			}
		})
	})
}

// Of two attempts that connect in the same turn one is the dial's connection, and the
// other closes its socket.
func TestDialRaceTwoWinners(t *testing.T) {
	serving := []string{"127.0.0.2", "127.0.0.3"}
	at := newScene(t, serving, nil)
	server := newNameServer(t, map[string][]netip.Addr{"two.test": addrsOf(serving...)})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			before := tcpSockets(t)
			begun := 0
			d := sock.Dialer{Resolver: server.resolver(), FallbackDelay: time.Millisecond,
				Control: func(string, string, syscall.RawConn) error {
					begun++
					for l.Sleep(0); begun < len(serving); {
						if err := l.Sleep(0); err != nil {
							return err
						}
					}
					return nil
				}}
			c, err := d.Dial(l, "tcp4", "two.test.:"+at.port)
			if err != nil {
				t.Fatal(err)
			}
			if n := tcpSockets(t) - before; n != 1 {
				t.Errorf("%d sockets behind the dial, want 1", n)
			}
			c.Close()
			if n := tcpSockets(t) - before; n != 0 {
				t.Errorf("%d sockets are left", n)
			}
		})
	})
}

// A scene is addresses of one port: some serve, some swallow every SYN, and where
// nobody is a connect is refused.
type scene struct {
	port   string
	stdlib []net.Listener
	undo   []func()
}

// newScene makes a scene with servers and addresses that swallow. There is IPv6, or
// the test is skipped.
func newScene(t *testing.T, serving, swallowing []string) *scene {
	t.Helper()
	for _, a := range slices.Concat(serving, swallowing) {
		if strings.Contains(a, ":") && !haveIPv6() {
			t.Skip("no IPv6 on the loopback")
		}
	}
	for range 20 {
		if s := tryScene(t, serving, swallowing); s != nil {
			t.Cleanup(s.close)
			return s
		}
	}
	t.Fatal("no port that is free at all the addresses")
	return nil
}

func haveIPv6() bool {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		ln.Close()
	}
	return err == nil
}

func tryScene(t *testing.T, serving, swallowing []string) *scene {
	first, err := net.Listen("tcp", "127.0.0.99:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{stdlib: []net.Listener{first}}
	_, s.port, _ = net.SplitHostPort(first.Addr().String())
	for _, a := range serving {
		ln, err := net.Listen("tcp", net.JoinHostPort(a, s.port))
		if err != nil {
			s.close()
			return nil
		}
		s.stdlib = append(s.stdlib, ln)
	}
	for _, a := range swallowing {
		_, undo, err := socktest.Swallow(netip.MustParseAddrPort(net.JoinHostPort(a, s.port)))
		if err != nil {
			s.close()
			return nil
		}
		s.undo = append(s.undo, undo)
	}
	return s
}

func (s *scene) close() {
	for _, ln := range s.stdlib {
		ln.Close()
	}
	for _, undo := range s.undo {
		undo()
	}
}

// tcpSockets counts the descriptors of this process that are TCP sockets.
func tcpSockets(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		if proto, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PROTOCOL); err == nil &&
			proto == syscall.IPPROTO_TCP {
			n++
		}
	}
	return n
}

// attempts notes which addresses a dial tries, as its Control, and how many TCP
// sockets there are at each.
type attempts struct {
	t       *testing.T
	mu      sync.Mutex
	addrs   []string
	sockets []int
}

func (a *attempts) control(_, address string, _ syscall.RawConn) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	host, _, _ := net.SplitHostPort(address)
	a.addrs = append(a.addrs, host)
	a.sockets = append(a.sockets, tcpSockets(a.t))
	return nil
}

func (a *attempts) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.addrs)
}

// dial dials, and once more with twice the time, and so on, while the time was over before so many
// addresses had been tried: the machine had other work. Where one is to answer, before it has.
func (a *attempts) dial(l *ringo.Loop, d sock.Dialer, network, address string, tried int, answers bool) (
	c *sock.Conn, err error) {
	for range 7 {
		a.addrs, a.sockets = nil, nil
		if c, err = d.Dial(l, network, address); err == nil || d.Timeout == 0 || len(a.addrs) >= tried && !answers {
			break
		}
		d.Timeout *= 2
	}
	return c, err
}

// A dial of a name tries its addresses as RFC 8305 has it, and keeps one socket.
func TestDialRace(t *testing.T) {
	testmain.NeedLong(t, "addresses that do not answer, in real time; dial.TestRaceInTurns plays them")
	const long = time.Hour
	for _, c := range []struct {
		name                string
		serving, swallowing []string
		answers             []string
		hold                uint16
		dialer              sock.Dialer
		tried               []string // in any order if there is no winner; nil: depends
		winner              string
		least               time.Duration
		errno               syscall.Errno
		sockets             []int // at each attempt, beside those that were there
	}{
		{name: "one address", serving: []string{"127.0.0.2"}, answers: []string{"127.0.0.2"},
			tried: []string{"127.0.0.2"}, winner: "127.0.0.2", sockets: []int{1}},
		{name: "refused: the next at once", serving: []string{"127.0.0.2"}, answers: []string{"127.0.0.1", "127.0.0.2"},
			dialer: sock.Dialer{FallbackDelay: long}, tried: []string{"127.0.0.1", "127.0.0.2"},
			winner: "127.0.0.2", sockets: []int{1, 1}},
		{name: "silent: the next after the delay", serving: []string{"127.0.0.2"}, swallowing: []string{"127.0.0.1"},
			answers: []string{"127.0.0.1", "127.0.0.2"},
			dialer:  sock.Dialer{FallbackDelay: 20 * time.Millisecond}, tried: []string{"127.0.0.1", "127.0.0.2"},
			winner: "127.0.0.2", least: 20 * time.Millisecond, sockets: []int{1, 2}},
		{name: "silent: the delay there is without one", serving: []string{"127.0.0.2"},
			swallowing: []string{"127.0.0.1"}, answers: []string{"127.0.0.1", "127.0.0.2"},
			tried: []string{"127.0.0.1", "127.0.0.2"}, winner: "127.0.0.2", least: 250 * time.Millisecond,
			sockets: []int{1, 2}},
		{name: "silent: the next in time", serving: []string{"127.0.0.2"}, swallowing: []string{"127.0.0.1"},
			answers: []string{"127.0.0.1", "127.0.0.2"},
			dialer:  sock.Dialer{FallbackDelay: long, Timeout: 2 * time.Second},
			tried:   []string{"127.0.0.1", "127.0.0.2"}, winner: "127.0.0.2", sockets: []int{1, 2}},
		{name: "IPv4 hangs, IPv6 serves", serving: []string{"::1"}, answers: []string{"127.0.0.1", "::1"}, hold: typeA,
			tried: []string{"::1"}, winner: "::1", sockets: []int{1}},
		{name: "IPv6 hangs, IPv4 serves", serving: []string{"127.0.0.1"}, answers: []string{"127.0.0.1", "::1"},
			hold:  typeAAAA,
			tried: []string{"127.0.0.1"}, winner: "127.0.0.1", least: 50 * time.Millisecond, sockets: []int{1}},
		{name: "no address of IPv6", serving: []string{"127.0.0.1"}, answers: []string{"127.0.0.1"},
			tried: []string{"127.0.0.1"}, winner: "127.0.0.1", sockets: []int{1}},
		{name: "IPv6 refuses, IPv4 serves", serving: []string{"127.0.0.1"}, answers: []string{"127.0.0.1", "::1"},
			winner: "127.0.0.1"},
		{name: "all refuse", answers: []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"},
			tried: []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}, errno: syscall.ECONNREFUSED,
			sockets: []int{1, 1, 1}},
		{name: "all refuse in both families", answers: []string{"127.0.0.1", "::1", "127.0.0.3"},
			tried: []string{"127.0.0.1", "127.0.0.3", "::1"}, errno: syscall.ECONNREFUSED, sockets: []int{1, 1, 1}},
		{name: "all are silent", swallowing: []string{"127.0.0.1", "127.0.0.2"},
			answers: []string{"127.0.0.1", "127.0.0.2"},
			dialer:  sock.Dialer{FallbackDelay: time.Millisecond, Timeout: 500 * time.Millisecond},
			tried:   []string{"127.0.0.1", "127.0.0.2"}, least: 500 * time.Millisecond, sockets: []int{1, 2}},
		{name: "one after the other", serving: []string{"127.0.0.2"}, swallowing: []string{"127.0.0.1"},
			answers: []string{"127.0.0.1", "127.0.0.2"},
			dialer:  sock.Dialer{FallbackDelay: -1, Timeout: 500 * time.Millisecond}, tried: []string{"127.0.0.1"},
			least: 500 * time.Millisecond, sockets: []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := newScene(t, c.serving, c.swallowing)
			server := newNameServer(t, map[string][]netip.Addr{"a.test": addrsOf(c.answers...)})
			if c.hold != 0 {
				defer server.hold(c.hold)()
			}
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					before := tcpSockets(t)
					seen := &attempts{t: t}
					d := c.dialer
					d.Resolver, d.Control = server.resolver(), seen.control
					begin := time.Now()
					conn, err := seen.dial(l, d, "tcp", "a.test.:"+at.port, len(c.tried), c.winner != "")
					took := time.Since(begin)
					kept := 0
					if err == nil {
						kept = 1
						defer conn.Close()
					}
					if n := tcpSockets(t) - before; n != kept {
						t.Errorf("the dial left %d sockets, want %d", n, kept)
					}
					if took < c.least {
						t.Errorf("the dial took %v, want at least %v", took, c.least)
					}
					if c.winner == "" {
						slices.Sort(seen.addrs)
					}
					if c.tried != nil && !slices.Equal(seen.addrs, c.tried) {
						t.Errorf("tried %v, want %v", seen.addrs, c.tried)
					}
					for i, n := range seen.sockets {
						if n -= before; i < len(c.sockets) && n != c.sockets[i] {
							t.Errorf("%d sockets at attempt %d, want %d", n, i, c.sockets[i])
						}
					}
					if c.winner != "" {
						if err != nil {
							t.Fatal(err)
						}
						if got := conn.RemoteAddr().String(); got != net.JoinHostPort(c.winner, at.port) {
							t.Errorf("the winner is %s, want %s", got, c.winner)
						}
						return
					}
					wantLost(t, err, c.errno, c.tried)
				})
			})
		})
	}
}

// wantLost checks the error of a dial that nobody won.
func wantLost(t *testing.T, err error, errno syscall.Errno, tried []string) {
	t.Helper()
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || op.Addr == nil {
		t.Fatalf("Dial: %v, want an error of dial that names an address", err)
	}
	for _, a := range tried {
		if !strings.Contains(err.Error(), a) {
			t.Errorf("%q does not name %s", err, a)
		}
	}
	if errno != 0 {
		if !errors.Is(err, errno) || op.Timeout() {
			t.Errorf("Dial: %v (timeout %v), want %v", err, op.Timeout(), errno)
		}
		return
	}
	wantTimeout(t, "Dial", err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial: %v, want context.DeadlineExceeded too", err)
	}
}

// However many addresses do not answer, so many connects are under way at most, and
// the error names some and counts the others.
func TestDialRaceBound(t *testing.T) {
	const bound, silent = 10, 15
	var swallowing []string
	for i := range silent {
		swallowing = append(swallowing, fmt.Sprintf("127.0.1.%d", i+1))
	}
	at := newScene(t, []string{"127.0.2.1"}, swallowing)
	server := newNameServer(t, map[string][]netip.Addr{
		"served.test": addrsOf(append(swallowing, "127.0.2.1")...), "silent.test": addrsOf(swallowing...)})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			before := tcpSockets(t)
			seen := &attempts{t: t}
			d := sock.Dialer{Resolver: server.resolver(), Control: seen.control, FallbackDelay: time.Millisecond}
			c, err := d.Dial(l, "tcp4", "served.test.:"+at.port)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if most := slices.Max(seen.sockets) - before; most > bound {
				t.Errorf("%d sockets at once, want %d at most", most, bound)
			}
			if len(seen.addrs) != silent+1 {
				t.Errorf("%d addresses tried of %d", len(seen.addrs), silent+1)
			}
			d.Timeout = 500 * time.Millisecond
			_, err = seen.dial(l, d, "tcp4", "silent.test.:"+at.port, silent, false)
			wantLost(t, err, 0, swallowing[:3])
			if !strings.Contains(err.Error(), "; and 7 more") {
				t.Errorf("Dial: %v, want 8 addresses and a count of the others", err)
			}
			if n := tcpSockets(t) - before; n != 0 {
				t.Errorf("%d sockets left", n)
			}
		})
	})
}
