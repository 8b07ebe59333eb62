//go:build linux

package sock_test

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
)

// A TLS client that stalls in its handshake, wherever it stalls, is freed by the
// deadline, also if the handshake runs in a task of the loop.
func TestTLSClientStalls(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t)
	hello := clientHello(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, server, closer byEach) {
			for _, sent := range []int{0, 1, 5, len(hello) / 2, len(hello)} {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
					if _, err := peer.Write(hello[:sent]); err != nil {
						t.Fatal(err)
					}
					end := bare(server, l, func() error {
						c.SetDeadline(time.Now().Add(20 * time.Millisecond))
						return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
					})
					wantTimeout(t, "Handshake", end())
					if err := bare(closer, l, c.Close)(); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
			}
		})
	})
}

// clientHello is what a TLS client sends first.
func clientHello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	go tls.Client(theirs, &tls.Config{ServerName: "a.test"}).Handshake()
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	ours.Close()
	return b[:n]
}

// A peer that is gone without a word is found out by keep-alive probes while a read
// waits.
func TestHalfOpenReader(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			var ends []func() error
			for _, reader := range callers {
				c, peer := accept(t, ln)
				defer c.Close()
				if err := c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second,
					Interval: time.Second, Count: 1}); err != nil {
					t.Fatal(err)
				}
				vanish(t, peer)
				ends = append(ends, bare(reader, l, func() error { return read(c) }))
			}
			for i, end := range ends {
				if err := end(); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("Read of a %s: %v, want ECONNRESET", callers[i].name, err)
				}
			}
		})
	})
}

// A write to a peer that is gone without a word goes out, and then both directions
// know. Before that nothing tells: a deadline ends the wait.
func TestHalfOpenWriter(t *testing.T) {
	eachSubject(t, func(s *subject) {
		vanish(s.T, s.peer)
		s.must("SetReadDeadline", s.act(func() error {
			return s.c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		}))
		s.wantDeadline("Read", s.waits(func() error { return read(s.c) }))
		s.must("SetReadDeadline", s.act(func() error { return s.c.SetReadDeadline(time.Time{}) }))
		reading := s.start(func() error { return read(s.c) })
		s.pause(time.Millisecond)
		s.must("Write", s.waits(func() error { return write(s.c) }))
		s.wantIs("Read after a Write", reading(), syscall.ECONNRESET)
		s.wantIs("Write", s.waits(func() error { return write(s.c) }), syscall.EPIPE)
	})
}

// vanish closes a socket so that its peer does not hear of it, as when a machine loses
// its power.
func vanish(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	if cerr != nil {
		t.Fatal(cerr)
	}
	if err != nil {
		t.Skipf("TCP_REPAIR, which needs CAP_NET_ADMIN: %v", err)
	}
	c.Close()
}

// A peer that takes nothing more is given up after the user timeout.
func TestUserTimeoutEndsWrite(t *testing.T) {
	t.Parallel()
	if err := zeroWindowTimesOut(); err != nil {
		t.Skip(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, writer, setter byEach) {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, _ *net.TCPConn) {
				data := flood()
				if err := bare(setter, l, func() error {
					return c.SetUserTimeout(100 * time.Millisecond)
				})(); err != nil {
					t.Fatal(err)
				}
				n := 0
				err := bare(writer, l, func() (err error) { n, err = c.Write(data); return err })()
				if n == 0 || n == len(data) || !errors.Is(err, syscall.ETIMEDOUT) {
					t.Errorf("Write: %d, %v, want a part and ETIMEDOUT", n, err)
				}
			})
		})
	})
}

// zeroWindowTimesOut asks this kernel whether the user timeout counts also while the
// peer says that it has no room (Linux 5.11).
var zeroWindowTimesOut = sync.OnceValue(func() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	defer peer.Close()
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 100)
	})
	c.SetDeadline(time.Now().Add(patience / 3))
	if _, werr := c.Write(flood()); err == nil && !errors.Is(werr, syscall.ETIMEDOUT) {
		err = errors.New("TCP_USER_TIMEOUT does not end a write to a peer without room: " + werr.Error())
	}
	return err
})

// Resets come in each state of a connection: before it is accepted, before a call,
// under a call in either direction, after half of it is closed, and under Close.
func TestResetInEachState(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		before := tcpSockets(t)
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			for range 20 { // not accepted yet
				reset(dial(t, ln.Addr().String()))
			}
			good := dial(t, ln.Addr().String())
			defer good.Close()
			for { // the kernel may give those that are gone, or not
				c, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				last := c.RemoteAddr().String() == good.LocalAddr().String()
				if !last {
					if err := read(c); err == nil {
						t.Error("a reset connection is read")
					}
				}
				c.Close()
				if last {
					break
				}
			}
			for name, use := range map[string]func(c *sock.Conn, peer *net.TCPConn){
				"half closed by us": func(c *sock.Conn, peer *net.TCPConn) { c.CloseWrite(); reset(peer); read(c) },
				"half closed by them": func(c *sock.Conn, peer *net.TCPConn) {
					peer.CloseWrite()
					read(c)
					reset(peer)
					write(c)
				},
				"with unread bytes": func(c *sock.Conn, peer *net.TCPConn) {
					peer.Write([]byte("xy"))
					c.Peek(2)
					reset(peer)
					write(c)
				},
				"under Close": func(c *sock.Conn, peer *net.TCPConn) {
					t := l.Go(func() { c.Close() })
					reset(peer)
					t.Wait()
				},
				"with linger": func(c *sock.Conn, peer *net.TCPConn) {
					c.SetLinger(5)
					write(c)
					reset(peer)
					c.Close()
				},
				"read by a goroutine": func(c *sock.Conn, peer *net.TCPConn) {
					end := callers[1].run(l, func() error { return read(c) })
					reset(peer)
					if err := end(); !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("a goroutine reads %v, want ECONNRESET", err)
					}
				},
			} {
				c, peer := accept(t, ln)
				begin := time.Now()
				l.WithTimeout(patience/3, func() error { use(c, peer); return nil })
				if time.Since(begin) >= patience/3 {
					t.Errorf("%s: a call waited for a peer that has reset", name)
				}
				c.Close()
				peer.Close()
			}
		})
		eventually(t, "no socket left", func() bool { return tcpSockets(t) == before })
	})
}

// A peer that pipelines and never reads is held to the bounds of the sockets: what is
// answered waits in the kernel, and the server's memory does not grow with what it is sent.
func TestPipeliningWithoutReading(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		s := serve(t, cfg, perConn(echoByTask))
		peer := s.dial()
		sent := 0
		for stuck := 0; stuck < 3; { // until it takes no more
			peer.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			n, err := peer.Write(flood()[:1<<20])
			if sent += n; n > 0 {
				stuck = 0
			} else if err != nil {
				stuck++
			}
			if sent > 256<<20 {
				t.Fatalf("the server took %d bytes from a peer that reads nothing", sent)
			}
		}
		if st := s.stats(); st.Buffers > 64 {
			t.Errorf("%d buffers held for one connection", st.Buffers)
		}
		// Others are served meanwhile, and the bytes are all there in the end.
		other := s.dial()
		other.Write([]byte("hello"))
		wantPeerBytes(t, other, 5)
		peer.SetDeadline(time.Now().Add(patience))
		wantPeerBytes(t, peer, sent)
	})
}

func wantPeerBytes(t *testing.T, peer *net.TCPConn, n int) {
	t.Helper()
	b := make([]byte, 1<<20)
	for got := 0; got < n; {
		m, err := peer.Read(b[:min(len(b), n-got)])
		if got += m; err != nil {
			t.Fatalf("%d bytes of %d came back: %v", got, n, err)
		}
	}
}
