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
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/stats"
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
		before := descriptors(t, "socket:")
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
			eventuallyOn(t, l, "no socket left", func() bool { return descriptors(t, "socket:") == before })
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
					if !slices.Equal(got, want) || !want[0].IsLoopback() && (is4 || haveIPv6()) {
						t.Errorf("%s: tried %v, want %v, with the loopback first", network, got, want)
					}
				}
				if network != "tcp6" && len(tried[true]) != 2 {
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

// dialStep is a dial that has come to a point from which it does not go on.
type dialStep struct {
	name    string
	address string // with no port
	answers []string
	hold    []uint16
	reached func(server *nameServer, seen *attempts) bool
	again   bool // the one of two families is more of the same
}

var dialSteps = []dialStep{
	{name: "looking up", address: "a.test.", hold: []uint16{typeA, typeAAAA},
		reached: func(server *nameServer, _ *attempts) bool { return server.questions() >= 2 }},
	{name: "connecting to a number", address: "127.0.0.1", again: true,
		reached: func(_ *nameServer, seen *attempts) bool { return seen.count() >= 1 }},
	{name: "connecting to one of two families", address: "a.test.", answers: []string{"127.0.0.1"},
		hold:    []uint16{typeAAAA},
		reached: func(_ *nameServer, seen *attempts) bool { return seen.count() >= 1 }},
	{name: "connecting to several", address: "a.test.", answers: []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"},
		again: true, reached: func(_ *nameServer, seen *attempts) bool { return seen.count() >= 3 }},
}

// A dialAbort ends a dial from outside. start runs dial in a way that can be ended, and gives
// the way.
type dialAbort struct {
	name  string
	start func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (abort func(),
		wait func() error)
	want func(err error) bool
}

var dialAborts = append([]dialAbort{
	{"cancel", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(), func() error) {
		t := l.Go(func() { end(d.Dial(l, "tcp", address)) })
		return t.Cancel, t.Wait
	}, func(err error) bool { return errors.Is(err, context.Canceled) && !os.IsTimeout(err) }},
	{"time limit of a block", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(),
		func() error) {
		t := l.Go(func() {
			l.WithTimeout(100*time.Millisecond, func() error {
				end(d.Dial(l, "tcp", address))
				return nil
			})
		})
		return func() {}, t.Wait
	}, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
	{"timeout", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(), func() error) {
		d.Timeout = 100 * time.Millisecond
		t := l.Go(func() { end(d.Dial(l, "tcp", address)) })
		return func() {}, t.Wait
	}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) && os.IsTimeout(err) }},
	{"context of a task", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(),
		func() error) {
		ctx, cancel := context.WithCancel(context.Background())
		t := l.Go(func() { end(d.DialContext(ctx, l, "tcp", address)) })
		return cancel, t.Wait
	}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	{"context of a goroutine", func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(),
		func() error) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan bool)
		go func() {
			defer close(done)
			end(d.DialContext(ctx, l, "tcp", address))
		}()
		return cancel, func() error { return awaitIn(l, done) }
	}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	{"deadline of a goroutine's context",
		func(l *ringo.Loop, d sock.Dialer, address string, end func(*sock.Conn, error)) (func(), func() error) {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			done := make(chan bool)
			go func() {
				defer close(done)
				defer cancel()
				end(d.DialContext(ctx, l, "tcp", address))
			}()
			return func() {}, func() error { return awaitIn(l, done) }
		}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) && os.IsTimeout(err) }},
}, callersAborts()...)

// callersAborts are the ends of a caller for whom another task dials.
func callersAborts() (list []dialAbort) {
	type ending = func(*sock.Conn, error)
	type dialing = func(*ringo.Loop, sock.Dialer, string) (*sock.Conn, error)
	plain := func(l *ringo.Loop, d sock.Dialer, address string) (*sock.Conn, error) {
		return d.Dial(l, "tcp", address)
	}
	withContext := func(l *ringo.Loop, d sock.Dialer, address string) (*sock.Conn, error) {
		return d.DialContext(context.Background(), l, "tcp", address)
	}
	limited := func(l *ringo.Loop, dial func()) {
		l.WithTimeout(100*time.Millisecond, func() error { dial(); return nil })
	}
	for _, caller := range []struct {
		name string
		loop func(l *ringo.Loop) (*ringo.Loop, func())
		dial dialing
	}{
		{"a task in DialContext", func(l *ringo.Loop) (*ringo.Loop, func()) { return l, func() {} }, withContext},
		{"an iterator in DialContext", func(l *ringo.Loop) (*ringo.Loop, func()) { return l, func() {} },
			func(l *ringo.Loop, d sock.Dialer, address string) (c *sock.Conn, err error) {
				return dialInIterator(func() (*sock.Conn, error) { return withContext(l, d, address) })
			}},
		{"an iterator", func(l *ringo.Loop) (*ringo.Loop, func()) { return l, func() {} },
			func(l *ringo.Loop, d sock.Dialer, address string) (c *sock.Conn, err error) {
				return dialInIterator(func() (*sock.Conn, error) { return plain(l, d, address) })
			}},
		{"a task of another loop", loopElsewhere, plain},
		{"a task of another loop in DialContext", loopElsewhere, withContext},
		{"an iterator on another loop", loopElsewhere,
			func(l *ringo.Loop, d sock.Dialer, address string) (c *sock.Conn, err error) {
				return dialInIterator(func() (*sock.Conn, error) { return plain(l, d, address) })
			}},
	} {
		start := func(l *ringo.Loop, d sock.Dialer, address string, end ending,
			limit func(*ringo.Loop, func())) (func(), func() error) {
			from, leave := caller.loop(l)
			t := from.Go(func() { limit(from, func() { end(caller.dial(l, d, address)) }) })
			return t.Cancel, func() error { defer leave(); return t.Wait() }
		}
		list = append(list,
			dialAbort{"cancel of " + caller.name,
				func(l *ringo.Loop, d sock.Dialer, address string, end ending) (func(),
					func() error) {
					return start(l, d, address, end, func(_ *ringo.Loop, dial func()) { dial() })
				}, func(err error) bool { return errors.Is(err, context.Canceled) && !os.IsTimeout(err) }},
			dialAbort{"time limit of " + caller.name,
				func(l *ringo.Loop, d sock.Dialer, address string, end ending) (func(),
					func() error) {
					_, wait := start(l, d, address, end, limited)
					return func() {}, wait
				}, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) && os.IsTimeout(err) }})
	}
	return list
}

// dialInIterator runs dial in an iterator of the caller's, which may be a task.
func dialInIterator(dial func() (*sock.Conn, error)) (c *sock.Conn, err error) {
	inIterator(func() { c, err = dial() })
	return c, err
}

// loopElsewhere is a loop of another Run with the same driver, until leave.
func loopElsewhere(l *ringo.Loop) (o *ringo.Loop, leave func()) {
	made, over, ended := make(chan *ringo.Loop), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ringo.Run(context.Background(), &ringo.Config{Driver: l.Info().Name, Loops: 1}, func(l *ringo.Loop) error {
			return l.Offload(func(context.Context) error { made <- l; <-over; return nil })
		})
	}()
	return <-made, func() { close(over); <-ended }
}

// A dial can be ended at each step, in every way, and then nothing is left of it.
func TestDialAborted(t *testing.T) {
	testmain.NeedLong(t, "thousands of dials; TestDialThatWaits has one of each")
	for _, step := range dialSteps {
		if step.again && !testmain.Long() {
			continue
		}
		t.Run(step.name, func(t *testing.T) {
			at := newScene(t, nil, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"})
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				for _, abort := range dialAborts {
					t.Run(abort.name, func(t *testing.T) { dialAndAbort(t, cfg, at, step, abort) })
				}
			})
		})
	}
}

// newStep makes what a dial needs to come to a step.
func newStep(t *testing.T, step dialStep) (sock.Dialer, *nameServer, *attempts) {
	t.Helper()
	server := newNameServer(t, map[string][]netip.Addr{"a.test": addrsOf(step.answers...)})
	for _, typ := range step.hold {
		t.Cleanup(server.hold(typ))
	}
	seen := &attempts{t: t}
	return sock.Dialer{Resolver: server.resolver(), Control: seen.control, FallbackDelay: time.Millisecond}, server,
		seen
}

func dialAndAbort(t *testing.T, cfg ringo.Config, at *scene, step dialStep, abort dialAbort) {
	d, server, seen := newStep(t, step)
	onLoop(t, cfg, func(l *ringo.Loop) {
		before, after := tcpSockets(t), 0
		ended := make(chan error, 1)
		stop, wait := abort.start(l, d, net.JoinHostPort(step.address, at.port), func(c *sock.Conn, err error) {
			if err == nil {
				c.Close()
			}
			after = tcpSockets(t)
			ended <- err
		})
		eventuallyOn(t, l, "the step", func() bool { return step.reached(server, seen) || len(ended) > 0 })
		stop()
		if err := wait(); err != nil {
			t.Error(err)
		}
		err := <-ended
		var op *net.OpError
		if !abort.want(err) || !errors.As(err, &op) || op.Op != "dial" || op.Net != "tcp" {
			t.Errorf("Dial: %v", err)
		}
		if after != before {
			t.Errorf("%d TCP sockets when the dial was over, %d before", after, before)
		}
	})
}

// The end of a Run ends the dials on it, at each step.
func TestDialEndsWithRun(t *testing.T) {
	for _, step := range dialSteps {
		t.Run(step.name, func(t *testing.T) {
			at := newScene(t, nil, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"})
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				d, server, seen := newStep(t, step)
				cfg.Grace = time.Millisecond
				before := tcpSockets(t)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				address := net.JoinHostPort(step.address, at.port)
				errs := make(chan error, 2)
				patience.Within(t.Name(), func() {
					ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
						go func() {
							_, err := d.DialContext(context.Background(), l, "tcp", address)
							errs <- err
						}()
						l.Go(func() {
							for !step.reached(server, seen) && l.Sleep(time.Millisecond) == nil {
							}
							cancel()
						})
						_, err := d.Dial(l, "tcp", address)
						errs <- err
						return nil
					})
					for range 2 {
						if err := <-errs; !errors.Is(err, context.Canceled) && !errors.Is(err, ringo.ErrEnded) {
							t.Errorf("Dial: %v, want context.Canceled or ErrEnded", err)
						}
					}
				})
				if after := tcpSockets(t); after != before {
					t.Errorf("%d TCP sockets after Run, %d before", after, before)
				}
			})
		})
	}
}

// While DNS hangs a loop goes on: other tasks run, and echo.
func TestNamesHang(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		server := newNameServer(t, nil)
		defer server.hold(typeA)()
		defer server.hold(typeAAAA)()
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const dials = 50
			d := sock.Dialer{Resolver: server.resolver()}
			var tasks []*ringo.Task
			over := 0
			for range dials {
				tasks = append(tasks, l.Go(func() {
					_, err := d.Dial(l, "tcp", "a.test.:1")
					wantCanceled(t, "Dial", err)
					over++
				}))
			}
			eventuallyOn(t, l, "the questions are asked", func() bool { return server.questions() >= 2 })
			echoed := make(chan error, 1)
			go func() {
				defer close(echoed)
				b := make([]byte, 1)
				for range 200 {
					if _, err := peer.Write(b); err != nil {
						echoed <- err
						return
					}
					if _, err := peer.Read(b); err != nil {
						echoed <- err
						return
					}
				}
			}()
			b := make([]byte, 1)
			for i := range 200 {
				if _, err := c.Read(b); err != nil {
					t.Fatalf("echo %d: %v", i, err)
				}
				if _, err := c.Write(b); err != nil {
					t.Fatalf("echo %d: %v", i, err)
				}
			}
			offloaded(t, l, func() error { return <-echoed })
			if over > 0 {
				t.Errorf("%d dials are over though nobody answered", over)
			}
			for _, task := range tasks {
				task.Cancel()
			}
			for _, task := range tasks {
				task.Wait()
			}
		})
	})
}

// ownNetwork runs the test that calls it in a network of its own, in which fast open is on for both sides: it returns
// true there. It needs root.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	const marker = "RINGO_SOCK_OWN_NETWORK"
	if os.Getenv(marker) != "" {
		if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Skipf("ip: %v %s", err, out)
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0); err != nil {
			t.Skip(err)
		}
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("a network of its own takes root")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS):
		t.Skip(err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// What goes along with the handshake, or can't, arrives once, from tasks and goroutines, by every kind of write.
func TestFastOpenDials(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := (&sock.ListenConfig{FastOpen: 100}).Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			l.Go(func() {
				for c, err := ln.AcceptConn(); err == nil; c, err = ln.AcceptConn() {
					l.Go(func() { defer c.Close(); io.Copy(c, c) })
				}
			})
			d := &sock.Dialer{FastOpen: true}
			first, err := d.Dial(l, "tcp", ln.Addr().String()) // it asks for the cookie
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			for name, write := range fastWrites(t) {
				for _, forgotten := range []bool{false, true} {
					what := name
					if forgotten {
						what += ", without a cookie any more"
					}
					exchange := func() { fastExchange(t, what, d, l, ln.Addr().String(), forgotten, write) }
					exchange()
					l.Offload(func(context.Context) error { exchange(); return nil })
				}
			}
			_, err = d.Dial(l, "unix", socketPath(t))
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("of a Unix socket: %v", err)
			}
		})
	})
}

// fastWrites are first writes: of 6 bytes, and of more than a segment.
func fastWrites(t *testing.T) map[string]func(c *sock.Conn) (int64, error) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, fastBytes(100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]func(c *sock.Conn) (int64, error){
		"little": func(c *sock.Conn) (int64, error) { n, err := c.Write(fastBytes(6)); return int64(n), err },
		"much":   func(c *sock.Conn) (int64, error) { n, err := c.Write(fastBytes(100_000)); return int64(n), err },
		"vector": func(c *sock.Conn) (int64, error) {
			p := fastBytes(100_000)
			n, err := c.WriteV([][]byte{p[:10], p[10:50_000], p[50_000:]})
			return int64(n), err
		},
		"file": func(c *sock.Conn) (int64, error) {
			f, err := os.Open(file)
			if err != nil {
				return 0, err
			}
			defer f.Close()
			return c.ReadFrom(f)
		},
	}
}

// fastExchange dials, writes first, and wants everything back once.
func fastExchange(t *testing.T, what string, d *sock.Dialer, l *ringo.Loop, address string, forgotten bool,
	write func(c *sock.Conn) (int64, error)) {
	t.Helper()
	c, err := d.Dial(l, "tcp", address)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer c.Close()
	if state := tcpState(t, c); state != unix.BPF_TCP_SYN_SENT {
		t.Errorf("%s: the dial has not returned ahead: state %d", what, state)
	}
	if forgotten {
		forget := func(context.Context) error { return exec.Command("ip", "tcp_metrics", "flush", "all").Run() }
		if err := offload(l, forget); err != nil {
			t.Errorf("ip: %v", err)
		}
	}
	c.SetDeadline(patience.Deadline())
	n, err := write(c)
	if err == nil {
		err = c.CloseWrite()
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if got, err := io.ReadAll(c); !bytes.Equal(got, fastBytes(int(n))) || err != nil || n == 0 {
		t.Errorf("%s: %d of %d bytes came back, %v", what, len(got), n, err)
	}
	if again, err := d.Dial(l, "tcp", address); err == nil { // it has the cookie again
		again.Close()
	}
}

func fastBytes(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func tcpState(t *testing.T, c *sock.Conn) (state uint8) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Error(err)
			return
		}
		state = info.State
	})
	return state
}

// What a program does in Offload for long keeps nobody from a name, a disk, or a connection of another loop.
func TestFullOffloadHoldsUpNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Offload = 1
		onLoop(t, cfg, func(l *ringo.Loop) {
			release := make(chan bool)
			defer close(release)
			l.Go(func() { awaitIn(l, release) })
			l.Sleep(0)
			ln := listen(t, l)
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			c, err := sock.Dial(l, "tcp", "localhost:"+port)
			if err != nil {
				t.Fatalf("a dial by name: %v", err)
			}
			defer c.Close()
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := file.MkdirAll(dir, 0o755); err != nil {
				t.Error(err)
			}
			if err := file.RemoveAll(filepath.Dir(dir)); err != nil {
				t.Error(err)
			}
		})
	})
}

// A dial whose look-up has no slot in time says so, and not that a peer did not answer.
func TestDialWithoutSlotSaysSo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			release := make(chan bool)
			slow := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				<-release
				return nil, errors.New("no server")
			}}
			d := sock.Dialer{Resolver: slow}
			looks := func() stats.Lane {
				for _, lane := range l.Stats().Lanes {
					if lane.Name == "names" {
						return lane
					}
				}
				t.Fatal("no lane of names")
				panic("unreachable")
			}
			var dials []*ringo.Task
			for range looks().Max {
				dials = append(dials, l.Go(func() { d.Dial(l, "tcp", "name.invalid:1") }))
			}
			for looks().Running < looks().Max {
				l.Sleep(0)
			}
			late := d
			late.Timeout = 10 * time.Millisecond
			_, err := late.Dial(l, "tcp", "name.invalid:1")
			var op *net.OpError
			var dns *net.DNSError
			if !errors.As(err, &op) || !op.Timeout() ||
				!errors.As(err, &dns) || dns.Name != "name.invalid" || !errors.Is(err, os.ErrDeadlineExceeded) ||
				!strings.Contains(err.Error(), "no slot came free in time for one of the look-ups of names") {
				t.Errorf("a dial whose look-up has no slot: %v", err)
			}
			close(release)
			for _, dial := range dials {
				dial.Wait()
			}
		})
	})
}
