package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// An address where somebody of this process listens is in use, whoever it is, also where both would share.
func TestListenInUse(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			addr := ln.Addr().String()
			_, err := sock.Reserve("tcp", addr)
			wantInUse(t, "Reserve beside a listener", err)
			_, err = net.Listen("tcp", addr)
			wantInUse(t, "package net beside us", err)
			offloaded(t, l, func() error {
				other := &cfg
				return socktest.RunLoops(t, t.Context(), other, func(l *ringo.Loop) error {
					_, err := sock.Listen(l, "tcp", addr)
					wantInUse(t, "another Run", err)
					return nil
				})
			})

			_, port, _ := net.SplitHostPort(addr) // all addresses include the one
			_, err = sock.Listen(l, "tcp4", "0.0.0.0:"+port)
			wantInUse(t, "all addresses", err)
		})
	})
}

// A port is free again as soon as its listener is closed, although connections of
// it go on or linger.
func TestListenAgain(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			addr := ln.Addr().String()
			c, peer := accept(t, ln)
			gone, gonePeer := accept(t, ln)
			gone.Close() // first, so that it is ours to wait
			gonePeer.Close()
			for range 3 {
				ln.Close()
				var err error
				if ln, err = sock.Listen(l, "tcp", addr); err != nil {
					t.Fatalf("Listen again: %v", err)
				}
			}
			ln.Close()
			send(t, peer, "goes on")
			wantAll(t, c, "goes on")
			c.Close()
			peer.Close()
		})
	})
}

// Of many that want one address at once, one gets it.
func TestReserveAtOnce(t *testing.T) {
	for range 50 {
		addr := freeAddr(t)
		var won atomic.Int32
		var wg sync.WaitGroup
		sets := make([]*sock.ListenerSet, 8)
		for i := range sets {
			wg.Go(func() {
				set, err := sock.Reserve("tcp", addr)
				if err == nil {
					won.Add(1)
					sets[i] = set
				} else if !errors.Is(err, posix.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, set := range sets {
			if set != nil {
				set.Close()
			}
		}
		if n := won.Load(); n > 1 {
			t.Fatalf("%d reserved the same address", n)
		}
	}
}

// The loops of a Run share an address, by Listen and by a set, and the kernel
// gives each of them some of the peers.
func TestLoopsShare(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const loops, conns = 3, 200
		cfg.Loops = loops
		for _, how := range []string{"Listen", "ListenerSet", "OneSocket"} {
			t.Run(how, func(t *testing.T) {
				set, err := (&sock.ListenConfig{OneSocket: how == "OneSocket"}).Reserve("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer set.Close()
				addr := set.Addr().String()
				if how == "Listen" {
					set.Close()
				}
				var got [loops]atomic.Int32
				var listening atomic.Int32
				each := ringo.NewBarrier(loops)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					done <- socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
						listen := func() (*sock.Listener, error) { return sock.Listen(l, "tcp", addr) }
						if how != "Listen" {
							listen = func() (*sock.Listener, error) { return set.Listen(l) }
						}
						ln, err := listen()
						if err != nil {
							return err
						}
						if ln.Addr().String() != addr {
							t.Errorf("loop %d listens on %s, want %s", l.Index(), ln.Addr(), addr)
						}
						_, err = listen()
						wantInUse(t, "the same loop twice", err)
						listening.Add(1)
						for {
							c, err := ln.AcceptConn()
							if err != nil {
								return err
							}
							c.Close()
							// Of one socket the kernel gives all to the loop that is quickest, unless that leaves
							// some to the others.
							if n := got[l.Index()].Add(1); n == 1 && how == "OneSocket" {
								if _, err := each.Wait(l.Context()); err != nil {
									return err
								}
							}
						}
					})
				}()
				eventually(t, "all loops listen", func() bool { return listening.Load() == loops })
				for range conns {
					peer := dial(t, addr)
					if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
						t.Error(err)
					}
					peer.Close()
				}
				stop()
				patience.Within(t.Name(), func() {
					if err := <-done; err != nil {
						t.Errorf("Run: %v", err)
					}
				})
				total := 0
				for i := range got {
					n := int(got[i].Load())
					total += n
					if n == 0 {
						t.Errorf("loop %d got none of %d connections", i, conns)
					}
				}
				if total != conns {
					t.Errorf("%d connections were accepted, want %d", total, conns)
				}
			})
		}
	})
}

// Peers of a reserved address queue until somebody accepts them.
func TestReserveBeforeRun(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var peers []tcpPeer
		for range 20 {
			peer := dial(t, set.Addr().String())
			defer peer.Close()
			send(t, peer, "early")
			peers = append(peers, peer)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := set.Listen(l)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			if err := set.Close(); err != nil { // the listener goes on
				t.Error(err)
			}
			wantClosed(t, "Close again", set.Close())
			if _, err := set.Listen(l); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Listen of a closed set: %v, want net.ErrClosed", err)
			}
			for range peers {
				c, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				wantAll(t, c, "early")
				c.Close()
			}
			c, peer := accept(t, ln)
			peer.Close()
			c.Close()
		})
	})
}

// A set that is closed without a listener refuses, and its port is free.
func TestReserveClosed(t *testing.T) {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := set.Addr().String()
	if a, b := set.Addr(), set.Addr(); a != b || a.Network() != "tcp" {
		t.Errorf("Addr is %v %p, then %v %p: want one pointer, as of a listener", a, a, b, b)
	}
	set.Close()
	if set.Addr().String() != addr {
		t.Error("the address is gone")
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a closed set accepts")
	}
	again, err := sock.Reserve("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// Every family, and the addresses that each shows.
func TestListenFamilies(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	haveV6 := err == nil
	if haveV6 {
		probe.Close()
	}
	for _, c := range []struct {
		network, address string
		v6               bool
		reach            []string // hosts that reach it
		refuse           []string
	}{
		{"tcp", "127.0.0.1:0", false, []string{"127.0.0.1"}, []string{"127.0.0.2", "::1"}},
		{"tcp4", ":0", false, []string{"127.0.0.1", "127.0.0.2"}, []string{"::1"}},
		{"tcp4", "0.0.0.0:0", false, []string{"127.0.0.1"}, []string{"::1"}},
		{"tcp", "localhost:0", false, nil, nil},
		{"tcp4", "[::]:0", false, []string{"127.0.0.1"}, []string{"::1"}},
		{"tcp", "", true, []string{"127.0.0.1", "::1"}, nil},
		{"tcp", ":0", true, []string{"127.0.0.1", "::1"}, nil},
		{"tcp", "0.0.0.0:0", true, []string{"127.0.0.1", "::1"}, nil},
		{"tcp", "[::ffff:0.0.0.0]:0", true, []string{"127.0.0.1", "::1"}, nil},
		{"tcp", "[::]:0", true, []string{"127.0.0.1", "::1"}, nil},
		{"tcp", "[::1]:0", true, []string{"::1"}, []string{"127.0.0.1"}},
		{"tcp6", ":0", true, []string{"::1"}, []string{"127.0.0.1"}},
		{"tcp6", "[::]:0", true, []string{"::1"}, []string{"127.0.0.1"}},
	} {
		t.Run(c.network+" "+c.address, func(t *testing.T) {
			if c.v6 && !haveV6 {
				t.Skip(err)
			}
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				onLoop(t, cfg, func(l *ringo.Loop) {
					ln, err := sock.Listen(l, c.network, c.address)
					if err != nil {
						t.Fatal(err)
					}
					defer ln.Close()
					at := ln.Addr().(*net.TCPAddr).AddrPort()
					if at.Port() == 0 {
						t.Error("Addr() has no port")
					}
					if std, err := net.Listen(c.network, c.address); err != nil {
						t.Error(err)
					} else if want := std.Addr().(*net.TCPAddr); want.IP.String() != at.Addr().String() ||
						std.Close() != nil {
						t.Errorf("Addr() = %v, package net's %v", at, want)
					}
					reach := c.reach
					if reach == nil {
						reach = []string{at.Addr().String()}
					}
					for _, host := range reach {
						if netip.MustParseAddr(host).Is6() && !haveV6 {
							continue
						}
						reachable(t, l, ln, netip.AddrPortFrom(netip.MustParseAddr(host), at.Port()))
					}
					for _, host := range c.refuse {
						to := netip.AddrPortFrom(netip.MustParseAddr(host), at.Port()).String()
						if peer, err := net.DialTimeout("tcp", to, patience.Max); err == nil {
							if accepts(l, ln) { // not a stranger of the same port
								t.Errorf("%s reaches it", to)
							}
							peer.Close()
						}
					}
				})
			})
		})
	}
}

// accepts reports whether a peer waits at ln now.
func accepts(l *ringo.Loop, ln *sock.Listener) bool {
	var c *sock.Conn
	task := l.Go(func() { c, _ = ln.AcceptConn() })
	l.Sleep(50 * time.Millisecond)
	task.Cancel()
	task.Wait()
	if c != nil {
		c.Close()
	}
	return c != nil
}

// reachable connects to ln at an address and back, and looks at both ends' idea of it.
func reachable(t *testing.T, l *ringo.Loop, ln *sock.Listener, to netip.AddrPort) {
	t.Helper()
	var c *sock.Conn
	accepting := l.Go(func() {
		var err error
		if c, err = ln.AcceptConn(); err != nil {
			t.Error(err)
		}
	})
	ours, err := sock.Dial(l, "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	accepting.Wait()
	defer c.Close()
	if got := ours.RemoteAddr().String(); got != to.String() {
		t.Errorf("the dialled end's remote address is %s, want %s", got, to)
	}
	if got, want := c.LocalAddr().String(), to.String(); got != want {
		t.Errorf("the accepted end's local address is %s, want %s", got, want)
	}
	if got, want := c.RemoteAddr().(*net.TCPAddr), ours.LocalAddr().String(); got.String() != want ||
		got.AddrPort().Addr().Is4In6() {
		t.Errorf("the accepted end's remote address is %v, want %s", got, want)
	}
	if _, err := ours.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	wantAll(t, c, "hello")
}

// listenAndServe runs sock.ListenAndServe, and gives the way to end it.
func listenAndServe(t *testing.T, cfg ringo.Config, addr string, handle func(c *sock.Conn)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sock.ListenAndServe(ctx, &cfg, "tcp", addr, handle) }()
	eventually(t, "a connection", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return func() {
		t.Helper()
		cancel()
		patience.Within(t.Name(), func() {
			if err := <-done; err != nil {
				t.Errorf("ListenAndServe: %v", err)
			}
		})
	}
}

// ListenAndServe serves until its context ends, lets connections finish, and gives
// nil.
func TestListenAndServe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		addr := freeAddr(t)
		stop := listenAndServe(t, cfg, addr, func(c *sock.Conn) { io.Copy(c, c) })
		peer := dial(t, addr)
		defer peer.Close()
		echo(t, peer, 100_000)
		ended := make(chan bool)
		go func() { stop(); close(ended) }()
		eventually(t, "the port closes", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		echo(t, peer, 100_000) // the grace
		peer.CloseWrite()
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer's Read at the end: %v", err)
		}
		<-ended
		_, port, _ := net.SplitHostPort(addr)
		if err := sock.ListenAndServe(t.Context(), &cfg, "tcp", "192.0.2.1:"+port, func(*sock.Conn) {}); !errors.Is(err,
			posix.EADDRNOTAVAIL) {
			t.Errorf("ListenAndServe on an address that isn't ours: %v", err)
		}
	})
}

// What a task may not call is refused; Reserve it may, which looks names up beside
// the loop.
func TestListenInATask(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if err := sock.ListenAndServe(t.Context(), &cfg, "tcp", "127.0.0.1:0", nil); err == nil ||
			!strings.Contains(err.Error(), "ListenAndServe of a nil function") {
			t.Errorf("ListenAndServe of nil: %v", err)
		}
		onLoop(t, cfg, func(l *ringo.Loop) {
			other := cfg
			err := sock.ListenAndServe(t.Context(), &other, "tcp", "127.0.0.1:0", func(*sock.Conn) {})
			if err == nil || !strings.Contains(err.Error(), "ListenAndServe from inside a task") {
				t.Errorf("ListenAndServe in a task: %v", err)
			}
			parks := l.Stats().Parks
			for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
				set, err := sock.Reserve("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				ln, err := set.Listen(l)
				if err != nil {
					t.Fatal(err)
				}
				reachable(t, l, ln, ln.Addr().(*net.TCPAddr).AddrPort())
				ln.Close()
				set.Close()
			}
			if l.Stats().Parks == parks {
				t.Error("the look-up did not park")
			}
			if err := sock.Serve(l, nil, &sock.Handler{Request: func(*sock.Conn) error { return nil }}); err == nil {
				t.Error("Serve of no listener: no error")
			}
		})
	})
}

// A connection is closed however its task ends, and the server goes on.
func TestListenAndServeTaskEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ignorePanics(&cfg)
		addr := freeAddr(t)
		stop := listenAndServe(t, cfg, addr, func(c *sock.Conn) {
			p := make([]byte, 1)
			c.Read(p)
			switch p[0] {
			case 'p':
				panic("on purpose")
			case 'g':
				runtime.Goexit()
			case 'c':
				c.Close()
			}
		})
		for _, how := range []string{"panic", "goexit", "close", "return"} {
			peer := dial(t, addr)
			send(t, peer, how[:1])
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%s: the peer's Read() = %d, %v, want the end", how, n, err)
			}
			peer.Close()
		}
		stop()
	})
}

// Once Run's context has ended Accept gives net.ErrClosed, whether it waited or is
// called then, also of a listener made then.
func TestAcceptAfterTheEnd(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		patience.Within(t.Name(), func() {
			err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				ln := listen(t, l)
				l.AfterFunc(time.Millisecond, stop)
				_, err := ln.Accept()
				wantClosed(t, "Accept while the context ends", err)
				_, err = ln.Accept()
				wantClosed(t, "Accept after that", err)
				if ln, err = sock.Listen(l, "tcp", "127.0.0.1:0"); err != nil {
					t.Fatalf("Listen at drain: %v", err)
				}
				_, err = ln.Accept()
				wantClosed(t, "Accept of a new listener", err)
				ln.Close()
				return err
			})
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	})
}

// More peers than a listener takes in before they are asked for are not lost, and
// what nobody asked for is closed with it.
func TestAcceptQueue(t *testing.T) {
	needNumbers(t, 2000)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			const total = 1000
			var peers []tcpPeer
			defer func() {
				for _, p := range peers {
					p.Close()
				}
			}()
			c, peer := accept(t, ln) // arms the accept
			c.Close()
			peer.Close()
			for range total {
				peers = append(peers, dial(t, ln.Addr().String()))
			}
			for range 100 { // nobody asks, until as many are taken in as may be
				others(l)
			}
			for i := range total / 2 {
				c, err := ln.AcceptConn()
				if err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				if _, err := c.Write([]byte("y")); err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
				c.Close()
				if i%100 == 0 {
					others(l)
				}
			}
			ln.Close()
			offloaded(t, l, func() error {
				for i, peer := range peers { // in the order in which they came
					n, _ := peer.Read(make([]byte, 1))
					if served := n == 1; served != (i < total/2) {
						t.Errorf("peer %d was served: %v", i, served)
						return nil
					}
				}
				return nil
			})
		})
	})
}

// oneFamily is a kernel whose sockets of IPv6 take no IPv4, as those of OpenBSD and DragonFly.
type oneFamily struct {
	kernel.Host
	res int32
}

func (k oneFamily) Setsockopt(fd int32, level, name, value int) int32 {
	if level == sys.ProtoIPv6 && name == sys.IPv6Only && value == 0 {
		return k.res
	}
	return k.Host.Setsockopt(fd, level, name, value)
}

// Where a socket of IPv6 takes no IPv4, all addresses are those of IPv4, as in package net, unless :: is asked for.
func TestListenWithoutBothFamilies(t *testing.T) {
	if !haveIPv6() {
		t.Skip("this host has no address of IPv6")
	}
	for _, res := range []int32{-sys.EINVAL, -sys.EOPNOTSUPP} {
		for _, network := range []string{"tcp", "udp"} {
			for address, want := range map[string]netip.Addr{
				":0": netip.IPv4Unspecified(), "0.0.0.0:0": netip.IPv4Unspecified(), "": netip.IPv4Unspecified(),
				"[::]:0": netip.IPv6Unspecified(), "[::1]:0": netip.IPv6Loopback(),
			} {
				got, err := sock.BoundOn(oneFamily{res: res}, network, address)
				if err != nil || got.Addr() != want {
					t.Errorf("%s %q with %d: %v, %v; want %v", network, address, res, got.Addr(), err, want)
				}
			}
		}
	}
}
