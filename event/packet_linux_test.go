//go:build linux

package event_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/buf"
	"ringo/event"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
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
					p := append(socktest.Prefix(size), byte(i))[min(size, 1):]
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

// A bound of nothing is one: one datagram waits, and no second one.
func TestPacketBoundOfNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		w := &watcher{}
		var first, second error
		onWatched(t, cfg, w, func(l *event.Loop) {
			l.DialPacket("udp", "127.0.0.1:9", &packets{open: func(c *event.PacketConn) {
				c.SetUnsentMax(0)
				w.full = true
				first, second = c.Write([]byte("waits")), c.Write([]byte("is refused"))
				w.full = false
				c.Close()
			}})
		})
		if first != nil || second != event.ErrFull {
			t.Errorf("the first: %v; the second: %v, want ErrFull", first, second)
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
			l.Receive(s, h) // which is closed already
		})
		if !slices.Equal(why, []error{event.ErrStopped, event.ErrStopped, net.ErrClosed, net.ErrClosed}) {
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

// recordPair is pair for a connection of records.
func recordPair(t *testing.T, cfg ringo.Config, h event.Handler, play func(peer *net.UnixConn) error) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		var ln *event.Listener
		ln, err := l.Listen("unixpacket", t.TempDir()+"/s", &once{h, func() { ln.Close() }})
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		outside(t, l, func() error {
			c, err := net.DialTimeout("unixpacket", addr, patience.Max)
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			return play(c.(*net.UnixConn))
		})
	})
}

// wantRecord reads one record.
func wantRecord(c net.Conn, want []byte) error {
	got := make([]byte, 1<<20)
	if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], want) {
		return fmt.Errorf("a record of %d bytes, or others than of %d: %w", n, len(want), err)
	}
	return nil
}

// Records that wait for room stay apart, in order, and bounded.
func TestRecordsWithoutRoom(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		full := make(chan int, 1)
		h := &funcs{open: func(c *event.Conn) {
			for i := 0; ; i++ {
				if err := c.Write(append(socktest.Prefix(10_000), byte(i))); err == event.ErrFull {
					full <- i
					return
				} else if err != nil {
					t.Error(err)
					full <- 0
					return
				}
			}
		}, writable: func(c *event.Conn) { c.Close() }}
		recordPair(t, cfg, h, func(peer *net.UnixConn) error {
			for i := range <-full {
				if err := wantRecord(peer, append(socktest.Prefix(10_000), byte(i))); err != nil {
					return fmt.Errorf("record %d: %w", i, err)
				}
			}
			return socktest.WantEOF(peer)
		})
	})
}

// A record that is too long is refused also where it would have to wait, and what is before and behind it is sent.
func TestRecordTooLongToWait(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		full, longest := make(chan int, 1), 0
		h := &funcs{open: func(c *event.Conn) {
			c.SetMarks(1<<20, 8<<20)
			record, n := socktest.Prefix(1000), 0
			for ; c.Unsent() == 0; n++ {
				if err := c.Write(record); err != nil {
					t.Error(err)
					break
				}
			}
			defer func() { full <- n }()
			for _, n := range tooLong(t) {
				lent := c.WriteThen(make([]byte, n), func(err error) { t.Errorf("%d bytes: told of %v", n, err) })
				copied := c.Write(make([]byte, n))
				if !errors.Is(copied, syscall.EMSGSIZE) || !errors.Is(lent, syscall.EMSGSIZE) {
					t.Errorf("a record of %d bytes: %v; one that is lent: %v", n, copied, lent)
				}
			}
			raw, err := c.SyscallConn()
			if err == nil {
				err = raw.Control(func(fd uintptr) {
					longest, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
				})
			}
			longest = min(longest-32, 1<<20) // as the kernel counts, and as we do
			if err != nil || !errors.Is(c.Write(make([]byte, longest+1)), syscall.EMSGSIZE) {
				t.Errorf("a record that is too long by a byte: %v", err)
			}
			if err := c.Write(socktest.Prefix(longest)); err != nil {
				t.Errorf("a record as long as can be: %v", err)
			}
			if err := c.Write([]byte("go on")); err != nil {
				t.Error(err)
			}
		}, close: func(_ *event.Conn, err error) {
			if err != io.EOF {
				t.Errorf("closed with %v", err)
			}
		}}
		recordPair(t, cfg, h, func(peer *net.UnixConn) error {
			for range <-full {
				if err := wantRecord(peer, socktest.Prefix(1000)); err != nil {
					return err
				}
			}
			return errors.Join(wantRecord(peer, socktest.Prefix(longest)), wantRecord(peer, []byte("go on")))
		})
	})
}

// What a record can't be is refused: left in part, filled into a slice, a file's, larger than the kernel takes.
func TestRecordsAreNoStream(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var why error
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetUnreadMax(1000)
				if c.ReadFull(make([]byte, 1), func(int, error) {}) == nil || c.SendFile(f, 0, 1, nil) == nil {
					t.Error("ReadFull or SendFile has no error")
				}
				for _, n := range tooLong(t) {
					if err := c.Write(make([]byte, n)); !errors.Is(err, syscall.EMSGSIZE) {
						t.Errorf("a record of %d bytes: %v", n, err)
					}
				}
				if a := c.LocalAddr(); a.Network() != "unixpacket" {
					t.Errorf("LocalAddr is of %s", a.Network())
				}
				c.Write([]byte("go on"))
			},
			data:  func(c *event.Conn, p []byte) int { return len(p) - 1 },
			close: func(_ *event.Conn, err error) { why = err },
		}
		recordPair(t, cfg, h, func(peer *net.UnixConn) error {
			if err := wantRecord(peer, []byte("go on")); err != nil {
				return err
			}
			if _, err := peer.Write([]byte("hello")); err != nil {
				return err
			}
			io.Copy(io.Discard, peer)
			return nil
		})
		if why != event.ErrUnread {
			t.Errorf("closed with %v, want ErrUnread", why)
		}
	})
}

// tooLong is lengths of records that are refused: one by us, and one by the kernel, if its buffers are as by default.
func tooLong(t *testing.T) []int {
	var room int
	p, err := os.ReadFile("/proc/sys/net/core/wmem_default")
	if _, err2 := fmt.Sscan(string(p), &room); err != nil || err2 != nil || room > 500_000 {
		t.Logf("the kernel refuses no record of 1,000,000 bytes: wmem_default is %q", p)
		return []int{2_000_000}
	}
	return []int{1_000_000, 2_000_000}
}

// Records stay what they are when a connection goes from a task to callbacks and back; a loop dials itself.
func TestRecordsBetweenTasksAndCallbacks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got, answers []string
		onLoop(t, cfg, func(l *event.Loop) {
			r := l.Ringo()
			ln, err := sock.Listen(r, "unixpacket", t.TempDir()+"/s")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			sent := 0
			l.Dial("unixpacket", ln.Addr().String(), &funcs{open: func(c *event.Conn) {
				for ; sent < 4; sent++ {
					c.Write([]byte{'a' + byte(sent)})
					if sent == 0 {
						c.Write(nil) // which a task takes for an end, and what it becomes must not
					}
				}
			}, data: func(_ *event.Conn, p []byte) int {
				answers = append(answers, string(p))
				return len(p)
			}})
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 100)
			n, err := c.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(p[:n]))
			if n, err = c.Read(p); n != 0 || err != io.EOF {
				t.Errorf("a record of no bytes: Read = %d, %v", n, err)
			}
			seen := ringo.NewChan[bool](1)
			e, err := l.Adopt(c, &funcs{open: func(c *event.Conn) {
				c.Write([]byte("x"))
				c.Write([]byte("y"))
			}, data: func(c *event.Conn, p []byte) int {
				if got = append(got, string(p)); len(got) == 3 {
					c.Pause()
					seen.TrySend(true)
				}
				return len(p)
			}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := seen.Recv(); err != nil {
				t.Fatal(err)
			}
			if c, err = e.Detach(); err != nil {
				t.Fatal(err)
			}
			if n, err = c.Read(p); err != nil {
				t.Fatal(err)
			}
			got = append(got, string(p[:n]))
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if want := []string{"x", "y"}; !slices.Equal(answers, want) {
			t.Errorf("answered %q, want %q", answers, want)
		}
	})
}

// crowd writes until something waits for room, and returns how many bytes it has written.
func crowd(t *testing.T, c *event.Conn) (n int) {
	for p := socktest.Prefix(1 << 20); c.Unsent() == 0; n += len(p) {
		if err := c.WriteThen(p, func(error) {}); err != nil {
			t.Error(err)
			break
		}
	}
	return n
}

// A write of no bytes behind something that waits has its turn, and what is written behind it is sent.
func TestEmptyWrites(t *testing.T) {
	f, err := os.Open(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, write := range map[string]func(c *event.Conn, tell func(error)) error{
		"Write":      func(c *event.Conn, _ func(error)) error { return c.Write(nil) },
		"WriteV":     func(c *event.Conn, _ func(error)) error { return c.WriteV(nil) },
		"WriteThen":  func(c *event.Conn, tell func(error)) error { return c.WriteThen(nil, tell) },
		"SendFile":   func(c *event.Conn, tell func(error)) error { return c.SendFile(f, 0, 0, tell) },
		"WriteLease": func(c *event.Conn, _ func(error)) error { return c.WriteLease(buf.Of(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := make(chan int, 1)
				order := ""
				tell := func(what string) func(error) {
					return func(err error) {
						if order += what; err != nil {
							t.Errorf("%s was told %v", what, err)
						}
					}
				}
				h := &funcs{open: func(c *event.Conn) {
					c.SetMarks(100<<20, 100<<20)
					n := crowd(t, c)
					err := errors.Join(write(c, tell("a")), c.Write([]byte("head")), write(c, tell("b")),
						c.SendFile(f, 0, 10, tell("c")), write(c, tell("d")), write(c, tell("e")),
						c.WriteThen([]byte("tail"), tell("f")), write(c, tell("g")))
					if err != nil {
						t.Error(err)
					}
					c.Close()
					before <- n
				}}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					if n, err := io.CopyN(io.Discard, peer, int64(<-before)); err != nil {
						return fmt.Errorf("%d bytes, then %w", n, err)
					}
					want := slices.Concat([]byte("head"), socktest.Prefix(10), []byte("tail"))
					return errors.Join(socktest.WantBytes(peer, want), socktest.WantEOF(peer))
				})
				want := "cf"
				if name == "WriteThen" || name == "SendFile" {
					want = "abcdefg"
				}
				if order != want {
					t.Errorf("told %s, want %s", order, want)
				}
			})
		})
	}
}

// A record of no bytes is one, also where others wait for room.
func TestEmptyRecords(t *testing.T) {
	for name, write := range map[string]func(c *event.Conn, told func(error)) error{
		"Write":      func(c *event.Conn, told func(error)) error { defer told(nil); return c.Write(nil) },
		"WriteV":     func(c *event.Conn, told func(error)) error { defer told(nil); return c.WriteV(nil) },
		"WriteThen":  func(c *event.Conn, told func(error)) error { return c.WriteThen(nil, told) },
		"WriteLease": func(c *event.Conn, told func(error)) error { defer told(nil); return c.WriteLease(buf.Of(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				before := make(chan int, 1)
				told := 0
				tell := func(err error) {
					if told++; err != nil {
						t.Errorf("was told %v", err)
					}
				}
				h := &funcs{open: func(c *event.Conn) {
					c.SetMarks(100<<20, 100<<20)
					err := errors.Join(write(c, tell), c.Write([]byte("a")))
					n := 0
					for ; c.Unsent() == 0 && err == nil; n++ {
						err = c.Write(socktest.Prefix(10_000))
					}
					err = errors.Join(err, write(c, tell), write(c, tell), c.Write([]byte("b")), write(c, tell),
						c.Write([]byte("c")))
					if err != nil {
						t.Error(err)
					}
					c.Close()
					before <- n
				}}
				recordPair(t, cfg, h, func(peer *net.UnixConn) error {
					records := [][]byte{{}, []byte("a")}
					for range <-before {
						records = append(records, socktest.Prefix(10_000))
					}
					for i, want := range append(records, nil, nil, []byte("b"), nil, []byte("c")) {
						if err := wantBareRecord(peer, want); err != nil {
							return fmt.Errorf("record %d: %w", i, err)
						}
					}
					return socktest.WantEOF(peer)
				})
				if told != 4 {
					t.Errorf("told %d times of 4", told)
				}
			})
		})
	}
}

// wantBareRecord is wantRecord, for which the end of the stream is a record of no bytes as well, as package net has it.
func wantBareRecord(c *net.UnixConn, want []byte) error {
	if err := wantRecord(c, want); len(want) > 0 || !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// A callback has its datagram until it returns, whatever is read meanwhile: the first of a fetch, those behind it that
// are moved for that, the last of them, and one whose socket is closed by then.
func TestPacketIsLent(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size = 600
		for _, last := range []int{3, 4, 20} {
			shown := 0
			onLoop(t, cfg, func(l *event.Loop) {
				var others [2]*sock.PacketConn
				for i := range others {
					var err error
					if others[i], err = sock.ListenPacket(l.Ringo(), "udp4", "127.0.0.1:0"); err != nil {
						t.Fatal(err)
					}
				}
				h := &packets{close: func(*event.PacketConn, error) {
					for _, s := range others {
						l.Ringo().Go(func() { s.Close() })
					}
				}}
				h.datagram = func(c *event.PacketConn, d event.Datagram) {
					shown++
					control := bytes.Clone(d.Control)
					if shown == last {
						c.Close()
						for range 10 {
							l.Ringo().Yield() // until it is closed
						}
					}
					stirPackets(t, others, size)
					if want := bytes.Repeat([]byte{byte(shown)}, size); !bytes.Equal(d.Bytes, want) {
						t.Errorf("datagram %d of %d was %x..., and is %x...", shown, last, want[:4], d.Bytes[:4])
					}
					if len(control) == 0 || !bytes.Equal(d.Control, control) {
						t.Errorf("the control messages of datagram %d of %d were %x, and are %x", shown, last, control,
							d.Control)
					}
				}
				c, err := l.ListenPacket("udp4", "127.0.0.1:0", h)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Socket().SetControl(sock.ControlTTL, true); err != nil {
					t.Fatal(err)
				}
				for i := range 20 {
					p := bytes.Repeat([]byte{byte(i + 1)}, size)
					if _, err := others[0].WriteToUDPAddrPort(p, addrOf(c)); err != nil {
						t.Fatal(err)
					}
				}
			})
			if shown != last {
				t.Errorf("%d datagrams were shown, want %d", shown, last)
			}
		}
	})
}

// stirPackets has two sockets of a loop read in turns what they send each other, so that the loop's memory and what it
// keeps of it is used for others.
func stirPackets(t *testing.T, s [2]*sock.PacketConn, size int) {
	t.Helper()
	p := bytes.Repeat([]byte{'x'}, size)
	for range 3 {
		for i := range 6 {
			if _, err := s[i%2].WriteToUDPAddrPort(p, s[1-i%2].LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
				t.Error(err)
				return
			}
		}
		for i := range 6 {
			if n, err := s[i%2].Read(make([]byte, size)); n != size || err != nil {
				t.Errorf("Read() = %d, %v", n, err)
				return
			}
		}
	}
}
