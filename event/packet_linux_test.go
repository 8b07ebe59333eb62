//go:build linux

package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// echoPackets sends each datagram back to who sent it.
func echoPackets(t *testing.T) *packets {
	return &packets{
		datagram: func(c *event.PacketConn, d event.Datagram) {
			if err := c.WriteTo(d.Bytes, d.From); err != nil {
				t.Errorf("WriteTo: %v", err)
			}
		},
		error: func(_ *event.PacketConn, err error) { t.Errorf("OnError: %v", err) },
	}
}

// withPackets listens for h, and has play use the address on a goroutine; behind that the socket is closed.
func withPackets(t *testing.T, cfg ringo.Config, h event.PacketHandler, play func(addr string) error) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		c, err := l.ListenPacket("udp", "127.0.0.1:0", h)
		if err != nil {
			t.Fatal(err)
		}
		addr := c.LocalAddr().String()
		outside(t, l, func() error {
			defer l.Post(c.Close)
			return play(addr)
		})
	})
}

// peerOf is a peer of package net.
func peerOf(addr string) (net.Conn, error) {
	c, err := net.DialTimeout("udp", addr, patience.Max)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(patience.Deadline())
}

// Datagrams of all sizes come whole, with who sent them, and answers find him.
func TestPacketEcho(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		withPackets(t, cfg, echoPackets(t), func(addr string) error {
			var peers []net.Conn
			for range 3 {
				c, err := peerOf(addr)
				if err != nil {
					return err
				}
				defer c.Close()
				peers = append(peers, c)
			}
			got := make([]byte, 1<<16)
			for _, size := range []int{0, 1, 1500, 9000, 65507} {
				for i, c := range peers {
					p := append(pattern(size), byte(i))[min(size, 1):]
					if _, err := c.Write(p); err != nil {
						return err
					}
					if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], p) {
						return fmt.Errorf("%d bytes came of %d, or others: %w", n, len(p), err)
					}
				}
			}
			for i, c := range peers { // several at a time
				for j := range 20 {
					c.Write([]byte{byte(i), byte(j)})
				}
			}
			for i, c := range peers {
				for j := range 20 {
					if n, err := c.Read(got); err != nil || n != 2 || got[0] != byte(i) || got[1] != byte(j) {
						return fmt.Errorf("peer %d, datagram %d: %v, %w", i, j, got[:n], err)
					}
				}
			}
			return nil
		})
	})
}

// A connected socket talks to one peer, whose name is looked up; that nobody is there it is told, and goes on.
func TestDialPacket(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got []string
		var why, early, refused, wrong error
		onLoop(t, cfg, func(l *event.Loop) {
			server, err := l.ListenPacket("udp4", "127.0.0.1:0", echoPackets(t))
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(server.LocalAddr().String())
			h := &packets{
				open: func(c *event.PacketConn) {
					wrong = c.WriteTo([]byte("x"), c.Socket().LocalAddr().(*net.UDPAddr).AddrPort())
					c.Write([]byte("hello"))
				},
				datagram: func(c *event.PacketConn, d event.Datagram) {
					got = append(got, string(d.Bytes), d.From.String())
					server.Close()
				},
				close: func(_ *event.PacketConn, err error) { why = err },
			}
			c := l.DialPacket("udp4", "localhost:"+port, h)
			early = c.Write([]byte("x"))
			server.SetHandler(&packets{
				datagram: func(s *event.PacketConn, d event.Datagram) { s.WriteTo(d.Bytes, d.From) },
				close:    func(*event.PacketConn, error) { c.Write([]byte("are you there?")) },
			})
			h.error = func(c *event.PacketConn, err error) {
				refused = err
				c.Close()
				c.Close()
			}
		})
		if len(got) != 2 || got[0] != "hello" || early == nil || why != nil ||
			!errors.Is(wrong, net.ErrWriteToConnected) || !errors.Is(refused, syscall.ECONNREFUSED) {
			t.Errorf("got %q, before OnOpen %v, to another %v, behind the end %v, closed with %v", got, early, wrong,
				refused, why)
		}
	})
}

// What keeps a socket from being made OnClose is told, alone.
func TestDialPacketFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var failed, closed error = nil, net.ErrClosed
		onLoop(t, cfg, func(l *event.Loop) {
			wrong := func(*event.PacketConn) { t.Error("OnOpen of a dial that has failed") }
			l.DialPacket("tcp", "127.0.0.1:1", &packets{open: wrong,
				close: func(_ *event.PacketConn, err error) { failed = err }})
			l.DialPacket("udp", "127.0.0.1:1", &packets{open: wrong,
				close: func(_ *event.PacketConn, err error) { closed = err }}).Close()
			if _, err := l.ListenPacket("tcp", "127.0.0.1:0", event.PacketBase{}); err == nil {
				t.Error("ListenPacket of TCP has no error")
			}
		})
		if failed == nil || closed != nil {
			t.Errorf("a wrong network: %v; closed meanwhile: %v", failed, closed)
		}
	})
}

// Behind Close nothing but OnClose is called, once; a callback that does not return costs its datagram alone; and
// paused, nothing is shown.
func TestPacketCallbacks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		var got []string
		closed, pausedNow := 0, false
		h := &packets{
			datagram: func(c *event.PacketConn, d event.Datagram) {
				if pausedNow || closed > 0 {
					t.Error("shown while paused, or behind the end")
				}
				got = append(got, string(d.Bytes))
				switch string(d.Bytes) {
				case "panic":
					panic("oops")
				case "Goexit":
					runtime.Goexit()
				case "pause":
					c.Pause()
					pausedNow = true
					c.Loop().AfterFunc(10*time.Millisecond, func() {
						pausedNow = false
						c.Resume()
					})
				case "close":
					c.Close()
				}
			},
			close: func(c *event.PacketConn, err error) {
				if closed++; err != nil || c.WriteTo([]byte("x"), addrOf(c)) == nil {
					t.Errorf("closed with %v, or takes datagrams", err)
				}
			},
		}
		words := []string{"panic", "pause", "Goexit", "last", "close"}
		withPackets(t, cfg, h, func(addr string) error {
			c, err := peerOf(addr)
			if err != nil {
				return err
			}
			defer c.Close()
			for _, s := range append(words, "behind", "behind") {
				if _, err := c.Write([]byte(s)); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
					return err
				}
			}
			for !errors.Is(err, syscall.ECONNREFUSED) { // until it is closed
				if _, err = c.Write([]byte("behind")); err == nil {
					c.SetReadDeadline(time.Now().Add(time.Millisecond))
					_, err = c.Read(make([]byte, 1))
				}
			}
			return nil
		})
		if !slices.Equal(got, words) || closed != 1 {
			t.Errorf("got %q, closed %d times", got, closed)
		}
	})
}

func addrOf(c *event.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// What the socket has no room for is bounded, kept in order, and OnWritable tells that it is gone.
func TestPacketNoRoom(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		w := &watcher{}
		const size, most = 100, 20
		var got []byte
		told := 0
		onWatched(t, cfg, w, func(l *event.Loop) {
			var from *event.PacketConn
			to, err := l.ListenPacket("udp", "127.0.0.1:0", &packets{
				datagram: func(c *event.PacketConn, d event.Datagram) {
					if got = append(got, d.Bytes[0]); len(got) == most+1 {
						c.Close()
						from.Close()
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			from = l.DialPacket("udp", to.LocalAddr().String(), &packets{
				open: func(c *event.PacketConn) {
					c.SetUnsentMax(most * (size + 64))
					w.full = true
					p := make([]byte, size)
					for i := range most {
						p[0] = byte(i)
						if err := c.Write(p); err != nil {
							t.Errorf("Write %d: %v", i, err)
						}
						if !c.Congested() {
							t.Error("not congested while something waits")
						}
					}
					if err := c.Write(p); err != event.ErrFull {
						t.Errorf("Write at the bound: %v", err)
					}
				},
				writable: func(c *event.PacketConn) {
					if told++; c.Congested() {
						t.Error("OnWritable while something waits")
					}
					w.full = false
					if err := c.Write([]byte{most}); err != nil {
						t.Error(err)
					}
				},
			})
		})
		want := make([]byte, most+1)
		for i := range want {
			want[i] = byte(i)
		}
		if !bytes.Equal(got, want) || told != 1 {
			t.Errorf("got %v, OnWritable was called %d times", got, told)
		}
		told = 0
		onWatched(t, cfg, w, func(l *event.Loop) {
			l.DialPacket("udp", "127.0.0.1:9", &packets{open: func(c *event.PacketConn) {
				w.full = true
				for range 5 {
					c.Write([]byte("never sent"))
				}
				c.Close()
				w.full = false
			}, close: func(*event.PacketConn, error) { told++ }})
		})
		if told != 1 {
			t.Errorf("with datagrams that wait OnClose was called %d times", told)
		}
	})
}

// A drain, and Stop, end sockets of datagrams; so does the end of package sock's.
func TestPacketEnds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var why []error
		h := &packets{close: func(_ *event.PacketConn, err error) { why = append(why, err) }}
		drained(t, cfg, func(l *event.Loop, drain func()) {
			if _, err := l.ListenPacket("udp", "127.0.0.1:0", h); err != nil {
				t.Fatal(err)
			}
			l.Post(drain)
		})
		onLoop(t, cfg, func(l *event.Loop) {
			if _, err := l.ListenPacket("udp", "127.0.0.1:0", h); err != nil {
				t.Fatal(err)
			}
			l.Post(l.Stop)
		})
		onLoop(t, cfg, func(l *event.Loop) {
			s, err := sock.ListenPacket(l.Ringo(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.Receive(s, h)
			l.Ringo().Yield()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		if !slices.Equal(why, []error{event.ErrStopped, event.ErrStopped, event.ErrStopped}) {
			t.Errorf("closed with %v", why)
		}
		why = nil
		onLoop(t, cfg, func(l *event.Loop) {
			s, err := sock.ListenPacket(l.Ringo(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s.SetReadDeadline(time.Unix(1, 0))
			l.Receive(s, h)
		})
		if len(why) != 1 || !errors.Is(why[0], os.ErrDeadlineExceeded) {
			t.Errorf("with a deadline that is over: closed with %v", why)
		}
	})
}

// Echo of datagrams allocates nothing.
func TestPacketAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		withPackets(t, cfg, echoPackets(t), func(addr string) error {
			c, err := peerOf(addr)
			if err != nil {
				return err
			}
			defer c.Close()
			p := make([]byte, 500)
			var failed error
			round := func() {
				if _, err := c.Write(p); err != nil {
					failed = err
				}
				if _, err := c.Read(p); err != nil {
					failed = err
				}
			}
			if least := alloctest.Least(500, 0.05, round); least > 0.05 {
				t.Errorf("%.2f allocations a round", least)
			}
			return failed
		})
	})
}

// What came behind a datagram whose callback did not return is shown, though there is no news of it.
func TestPacketBehindPanic(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		shown := 0
		all := make(chan bool)
		onLoop(t, cfg, func(l *event.Loop) {
			c, err := l.ListenPacket("udp", "127.0.0.1:0", &packets{
				open: func(c *event.PacketConn) { c.Pause() },
				datagram: func(*event.PacketConn, event.Datagram) {
					if shown++; shown == 3 {
						close(all)
					}
					panic("oops")
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			addr := c.LocalAddr().String()
			outside(t, l, func() error {
				defer l.Post(c.Close)
				peer, err := peerOf(addr)
				if err != nil {
					return err
				}
				defer peer.Close()
				for range 3 {
					if _, err := peer.Write([]byte("x")); err != nil {
						return err
					}
				}
				l.Post(c.Resume)
				_, err = patience.Receive(all)
				return err // the others are not shown
			})
		})
	})
}
