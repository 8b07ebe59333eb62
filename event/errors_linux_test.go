//go:build linux

package event_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/census"
	"ringo/internal/loop"
	"ringo/internal/rt/peek"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// An error names the network and both addresses as package net does, of connections that were accepted, dialled and
// adopted.
func TestErrorsAsNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			t.Run(network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network != "tcp" {
					address = filepath.Join(t.TempDir(), "socket")
				}
				n := 0
				var ln *event.Listener
				check := func(c *event.Conn) {
					if n++; n == 4 {
						ln.Close()
					}
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
					var e *net.OpError
					if err := c.Write([]byte("x")); !errors.As(err, &e) || e.Net != network || e.Source == nil ||
						e.Addr == nil || e.Source.String() != c.LocalAddr().String() ||
						e.Addr.String() != c.RemoteAddr().String() || e.Addr.Network() != network {
						t.Errorf("Write: %v, from %v to %v", err, c.LocalAddr(), c.RemoteAddr())
					}
				}
				onLoop(t, cfg, func(l *event.Loop) {
					var err error
					if ln, err = l.Listen(network, address, &funcs{open: check}); err != nil {
						t.Fatal(err)
					}
					l.Dial(network, ln.Addr().String(), &funcs{open: check})
					c, err := sock.Dial(l.Ringo(), network, ln.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					if _, err := l.Adopt(c, &funcs{open: check}); err != nil {
						t.Fatal(err)
					}
				})
				if n != 4 {
					t.Errorf("%d connections were looked at, want 4", n)
				}
			})
		}
	})
}

// shape is what a *net.OpError says beside why: the addresses as whose they are.
func shape(err error, local, remote net.Addr) string {
	e, ok := err.(*net.OpError)
	if !ok {
		return fmt.Sprintf("%T %v", err, err)
	}
	whose := func(a net.Addr) string {
		switch {
		case a == nil:
			return "none"
		case local != nil && a.String() == local.String() && a.Network() == local.Network():
			return "local"
		case remote != nil && a.String() == remote.String() && a.Network() == remote.Network():
			return "remote"
		}
		return a.Network() + " " + a.String()
	}
	return fmt.Sprintf("%s %s, from %s to %s", e.Op, e.Net, whose(e.Source), whose(e.Addr))
}

// shapesOfNet are those of package net: of a connection that was dialled, of what fails behind CloseWrite, by a
// deadline, and behind Close.
func shapesOfNet(t *testing.T, network, address string) map[string]string {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h := c.(interface{ CloseWrite() error })
	local, remote := c.LocalAddr(), c.RemoteAddr()
	c.SetReadDeadline(time.Unix(1, 0))
	_, late := c.Read(make([]byte, 1))
	if err := h.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, half := c.Write([]byte("x"))
	c.Close()
	_, write := c.Write([]byte("x"))
	_, read := c.Read(make([]byte, 1))
	shapes := map[string]string{}
	for what, err := range map[string]error{"timeout": late, "Write, half closed": half, "Write": write,
		"ReadFull": read, "CloseWrite": h.CloseWrite()} {
		shapes[what] = shape(err, local, remote)
	}
	shapes["SendFile"] = shapes["Write"]
	shapes["Detach"] = strings.Replace(shapes["Write"], "write", "detach", 1)
	shapes["WriteThen"], shapes["WriteV"] = shapes["Write"], shapes["Write"]
	return shapes
}

// What fails says what package net says: the operation, the network and both addresses, in OnClose and behind it, too.
// Before OnOpen there are no addresses.
func TestErrorsLikeNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			t.Run(network, func(t *testing.T) {
				address := func() string {
					if network == "tcp" {
						return "127.0.0.1:0"
					}
					return filepath.Join(t.TempDir(), "socket")
				}
				want := shapesOfNet(t, network, address())
				early := strings.NewReplacer("local", "none", "remote", "none")
				var local, remote net.Addr
				check := func(when string, want map[string]string, errs map[string]error) {
					for what, err := range errs {
						if got := shape(err, local, remote); got != want[what] {
							t.Errorf("%s: %s: %s, want %s (%v)", when, what, got, want[what], err)
						}
					}
				}
				calls := func(c *event.Conn) map[string]error {
					return map[string]error{
						"Write":      c.Write([]byte("x")),
						"WriteV":     c.WriteV([][]byte{[]byte("x"), []byte("y")}),
						"WriteThen":  c.WriteThen([]byte("x"), func(error) {}),
						"SendFile":   c.SendFile(nil, 0, 1, nil),
						"CloseWrite": c.CloseWrite(),
						"ReadFull":   c.ReadFull(make([]byte, 1), func(int, error) {}),
					}
				}
				ln, err := net.Listen(network, address()) // nobody accepts, and answers the end with one
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				onLoop(t, cfg, func(l *event.Loop) {
					closed := ringo.NewChan[bool](1)
					c := l.Dial(network, ln.Addr().String(), &funcs{
						open: func(c *event.Conn) {
							local, remote = c.LocalAddr(), c.RemoteAddr()
							c.CloseWrite()
							check("half closed", want, map[string]error{"CloseWrite": c.CloseWrite(),
								"Write, half closed": c.Write([]byte("x"))})
							c.SetTimeouts(1, 0)
						},
						close: func(c *event.Conn, err error) {
							check("why", want, map[string]error{"timeout": err})
							check("OnClose", want, calls(c))
							closed.TrySend(true)
						},
					})
					none := map[string]string{}
					for what, s := range want {
						none[what] = early.Replace(s)
					}
					check("before OnOpen", none, calls(c))
					if _, err := closed.RecvContext(patience.Context(t)); err != nil {
						t.Fatal(err)
					}
					_, err := c.Detach()
					check("behind OnClose", want, map[string]error{"Detach": err})
					check("behind OnClose", want, calls(c))
				})
			})
		}
	})
}

// A Detach that Abort ends names the addresses of what it was to detach.
func TestAbortedDetachLikeNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var detached, local, remote = error(nil), net.Addr(nil), net.Addr(nil)
		h := &funcs{open: func(c *event.Conn) {
			local, remote = c.LocalAddr(), c.RemoteAddr()
			crowd(t, c)
			c.Loop().Ringo().Go(func() { _, detached = c.Detach() })
			c.Loop().Ringo().Go(c.Abort)
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error { io.Copy(io.Discard, peer); return nil })
		if got, want := shape(detached, local, remote), "detach tcp, from local to remote"; got != want {
			t.Errorf("Detach: %s, want %s (%v)", got, want, detached)
		}
	})
}

// Sockets of datagrams likewise, of each network, connected or not.
func TestPacketErrorsLikeNet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"udp", "udp4", "udp6"} {
			at := map[string]string{"udp6": "[::1]:"}[network]
			if at == "" {
				at = "127.0.0.1:"
			}
			far := netip.MustParseAddrPort(at + "9")
			ofNet := func(c net.Conn, err error) (conn, to string) {
				if err != nil {
					t.Skip(network, err)
				}
				c.Close()
				_, err = c.Write([]byte("x"))
				_, errTo := c.(*net.UDPConn).WriteToUDPAddrPort([]byte("x"), far)
				return shape(err, c.LocalAddr(), c.RemoteAddr()), shape(errTo, c.LocalAddr(),
					net.UDPAddrFromAddrPort(far))
			}
			wantDialled, _ := ofNet(net.Dial(network, at+"9"))
			bound, err := net.ListenPacket(network, at+"0")
			if err != nil {
				t.Skip(network, err)
			}
			_, wantBound := ofNet(bound.(*net.UDPConn), nil)
			onLoop(t, cfg, func(l *event.Loop) {
				check := func(what, got, want string) {
					if got != want {
						t.Errorf("%s: %s: %s, want %s", network, what, got, want)
					}
				}
				closing := func(c *event.PacketConn, to netip.AddrPort, want string) {
					write := func() string {
						err := c.Write([]byte("x"))
						if to.IsValid() {
							err = c.WriteTo([]byte("x"), to)
						}
						if !errors.Is(err, net.ErrClosed) {
							t.Errorf("%s: %v, want net.ErrClosed", network, err)
						}
						return shape(err, c.LocalAddr(), net.UDPAddrFromAddrPort(far))
					}
					c.Close()
					check("closing", write(), want)
					c.SetHandler(&packets{close: func(*event.PacketConn, error) { check("OnClose", write(), want) }})
				}
				c := l.DialPacket(network, far.String(), &packets{open: func(c *event.PacketConn) {
					closing(c, netip.AddrPort{}, wantDialled)
				}})
				check("before OnOpen", shape(c.Write([]byte("x")), nil, nil),
					"write "+network+", from none to none")
				c = l.DialPacket(network, far.String(), event.PacketBase{})
				c.Close()
				err := c.Write([]byte("x"))
				check("a dial that was closed", shape(err, nil, nil), "write "+network+", from none to none")
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: a dial that was closed: %v, want net.ErrClosed", network, err)
				}
				c, err = l.ListenPacket(network, at+"0", event.PacketBase{})
				if err != nil {
					t.Fatal(err)
				}
				closing(c, far, wantBound)
			})
		}
	})
}

// Why a connection ended names its addresses, too, although the kernel forgets that of a peer that has reset it.
func TestResetNamesAddresses(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var why error
		var source, addr net.Addr
		h := &funcs{
			open:  func(c *event.Conn) { source, addr = c.LocalAddr(), c.RemoteAddr() },
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error { return peer.SetLinger(0) })
		var e *net.OpError
		if !errors.As(why, &e) || !errors.Is(why, syscall.ECONNRESET) || e.Net != "tcp" || e.Source == nil ||
			e.Addr == nil || e.Source.String() != source.String() || e.Addr.String() != addr.String() {
			t.Errorf("closed with %v, from %v to %v", why, source, addr)
		}
	})
}

// Packages sock and event have one value for one error.
func TestErrorsOfSock(t *testing.T) {
	for _, same := range [][2]error{{event.ErrUnread, sock.ErrUnread}, {event.ErrLeases, sock.ErrLeases},
		{event.ErrNoReturn, sock.ErrNoReturn}} {
		if same[0] != same[1] {
			t.Errorf("%v is not %v", same[0], same[1])
		}
	}
}

// Who is refused room behind a file is told when there is some, though the file has no bytes in memory.
func TestRefusedBehindFile(t *testing.T) {
	for name, bound := range map[string]func(c *event.Conn){
		"the connection's": func(c *event.Conn) { c.SetMarks(100<<20, 0) },
		"all together's":   func(c *event.Conn) { c.Loop().SetUnsentMax(1) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				f, err := os.Open(sources(t))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				told := 0
				h := &funcs{
					open: func(c *event.Conn) {
						bound(c)
						err := c.SendFile(f, 0, streamMax, nil)
						refused := c.Write([]byte("tail"))
						if err != nil || refused != event.ErrFull || !c.Congested() {
							t.Errorf("SendFile: %v; Write: %v; congested: %v", err, refused, c.Congested())
						}
					},
					writable: func(c *event.Conn) {
						told++
						if err := c.Write([]byte("tail")); err != nil || c.Congested() {
							t.Errorf("Write when there is room: %v; congested: %v", err, c.Congested())
						}
						c.Close()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					return errors.Join(socktest.WantBytes(peer, append(socktest.Prefix(streamMax), "tail"...)),
						socktest.WantEOF(peer))
				})
				if told != 1 {
					t.Errorf("OnWritable was called %d times", told)
				}
			})
		})
	}
}

// What waits is bounded also where it has no bytes in memory; who is refused is told when there is room again.
func TestPiecesAreBounded(t *testing.T) {
	f, err := os.Open(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, write := range map[string]func(c *event.Conn, then func(error)) error{
		"SendFile":       func(c *event.Conn, then func(error)) error { return c.SendFile(f, 0, 10, then) },
		"empty SendFile": func(c *event.Conn, then func(error)) error { return c.SendFile(f, 0, 0, then) },
		"WriteThen":      func(c *event.Conn, then func(error)) error { return c.WriteThen(nil, then) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				const most = 100_000
				var taken, told, writable int
				tell := func(err error) {
					if told++; err != nil {
						t.Errorf("was told %v", err)
					}
				}
				full := make(chan bool)
				h := &funcs{
					open: func(c *event.Conn) {
						c.SetMarks(100<<20, 100<<20)
						crowd(t, c)
						var err error
						for taken = 0; taken < most && err == nil; taken++ {
							err = write(c, tell)
						}
						if taken--; err != event.ErrFull || !c.Congested() {
							t.Errorf("%d were taken, then %v; congested: %v", taken, err, c.Congested())
							c.Abort()
						}
						close(full)
					},
					writable: func(c *event.Conn) {
						if writable++; writable > 1 {
							return
						}
						if err := write(c, tell); err != nil || c.Congested() {
							t.Errorf("when there is room: %v; congested: %v", err, c.Congested())
						}
						taken++
						c.Close()
					},
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					<-full
					_, err := io.Copy(io.Discard, peer)
					return err
				})
				if told != taken || taken < 100 || writable != 1 {
					t.Errorf("%d of %d were told, OnWritable was called %d times", told, taken, writable)
				}
			})
		})
	}
}

// An Abort beside a Detach ends the connection, and Detach says so; nothing is sent behind what was dropped.
func TestAbortBesideDetach(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var failed, why, dropped error
		closed := 0
		gone := make(chan bool)
		h := &funcs{
			open: func(c *event.Conn) {
				c.SetMarks(100<<20, 100<<20)
				crowd(t, c)
				if err := c.WriteThen([]byte("dropped"), func(err error) { dropped = err }); err != nil {
					t.Error(err)
				}
				r := c.Loop().Ringo()
				r.Go(func() {
					r.Go(c.Abort) // runs when Detach has parked
					var s *sock.Conn
					if s, failed = c.Detach(); s != nil {
						s.Write([]byte("behind"))
						s.Close()
					}
				})
			},
			close: func(_ *event.Conn, err error) {
				why, closed = err, closed+1
				close(gone)
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			<-gone
			got, _ := io.ReadAll(peer)
			for i, b := range got {
				if b != socktest.ByteAt(i%(1<<20)) {
					return fmt.Errorf("byte %d of %d is another", i, len(got))
				}
			}
			return nil
		})
		if !errors.Is(failed, net.ErrClosed) || !errors.Is(dropped, net.ErrClosed) || why != nil || closed != 1 {
			t.Errorf("Detach: %v; was told %v; closed %d times, with %v", failed, dropped, closed, why)
		}
	})
}

// A function that is told of the end of a write is a callback of its connection, which ends with its panic.
func TestPanicOfToldFunction(t *testing.T) {
	f, err := os.Open(sources(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	oops := func(error) { panic("oops") }
	for name, write := range map[string]func(c *event.Conn) error{
		"WriteThen":         func(c *event.Conn) error { return c.WriteThen([]byte("x"), oops) },
		"WriteThen of much": func(c *event.Conn) error { return c.WriteThen(make([]byte, 8<<20), oops) },
		"SendFile":          func(c *event.Conn) error { return c.SendFile(f, 0, 10, oops) },
		"WriteThen of much, Close": func(c *event.Conn) error {
			defer c.Close()
			return c.WriteThen(make([]byte, 8<<20), oops)
		},
		"ReadFull": func(c *event.Conn) error { return c.ReadFull(nil, func(int, error) { oops(nil) }) },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				var why error
				h := &funcs{
					open: func(c *event.Conn) {
						if err := write(c); err != nil {
							t.Error(err)
						}
					},
					close: func(_ *event.Conn, err error) { why = err },
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					_, err := io.Copy(io.Discard, peer)
					return err
				})
				if why != event.ErrNoReturn {
					t.Errorf("closed with %v, want ErrNoReturn", why)
				}
			})
		})
	}
}

// A connection that is being dialled says so, and not that it is closed.
func TestNotOpenYet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *event.Loop) {
			ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
			if err != nil {
				t.Fatal(err)
			}
			c := l.Dial("tcp", ln.Addr().String(), event.Base{})
			_, detach := c.Detach()
			for what, err := range map[string]error{"Write": c.Write(nil), "CloseWrite": c.CloseWrite(),
				"Detach": detach, "ReadFull": c.ReadFull(nil, func(int, error) {})} {
				if err == nil || errors.Is(err, net.ErrClosed) {
					t.Errorf("%s before OnOpen: %v", what, err)
				}
			}
			l.Stop()
		})
	})
}

// A callback that parks freezes all others of its loop, which is told as a stall, with the place and what it waits
// for, once they wait for it: those that were to be called already, and those that come then.
func TestParkedCallbackIsAStall(t *testing.T) {
	for _, early := range []bool{true, false} {
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			told, gate := make(chan string, 100), ringo.NewChan[bool](0)
			cfg.StallLimit = time.Millisecond
			cfg.OnStall = func(l *ringo.Loop, took time.Duration, stack []byte) {
				if !strings.Contains(string(stack), "a callback ") {
					return // the machine may be slow
				}
				if took < cfg.StallLimit {
					t.Errorf("told after %v", took)
				}
				told <- string(stack)
				l.Post(func() { gate.Close() })
			}
			calls, parking := 0, false
			var stalls uint64
			onLoop(t, cfg, func(l *event.Loop) {
				l.AfterFunc(0, func() { parking = true; parkIn(gate) })
				if early {
					l.AfterFunc(0, func() { calls++ })
				} else {
					l.Ringo().Go(func() {
						for !parking {
							l.Ringo().Yield()
						}
						l.AfterFunc(0, func() { calls++ })
					})
				}
				l.Ringo().Go(func() { gate.Recv(); stalls = l.Ringo().Stats().Stalls })
			})
			if calls != 1 || stalls == 0 || len(told) == 0 {
				t.Fatalf("%d calls, %d stalls, %d told", calls, stalls, len(told))
			}
			text, where := <-told, "event_test.parkIn"
			if !peek.Works() { // see TestWorks there
				where = "its stack is not known"
			}
			for _, want := range []string{"a callback of loop 0 is parked in ", "Chan.Recv", "1 others wait", where} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %q", want, text)
				}
			}
		})
	}
}

//go:noinline
func parkIn(gate *ringo.Chan[bool]) { gate.Recv() }

// Callbacks that park for a little again and again freeze the others for as long as that goes on: one callback, one
// after the other, or a hook. It is told once, by the time since their turn began.
func TestShortParksAreAStall(t *testing.T) {
	const parks, each, limit = 40, 30 * time.Millisecond, 500 * time.Millisecond
	for name, begin := range map[string]func(l *event.Loop, park func()){
		"one": func(l *event.Loop, park func()) {
			l.AfterFunc(0, func() {
				for range parks {
					park()
				}
			})
		},
		"many": func(l *event.Loop, park func()) {
			for range parks {
				l.AfterFunc(0, park)
			}
		},
		"hook": func(l *event.Loop, park func()) {
			var h *event.Hook
			h = l.Check(func() {
				h.Stop()
				for range parks {
					park()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var clock stillClock
				told, took := make(chan string, parks), make(chan time.Duration, parks)
				change := func(c *loop.Config) {
					c.Clock, c.Stall = clock.now, limit
					c.OnStall = func(_ *loop.Loop, d time.Duration, stack []byte) {
						told <- string(stack)
						took <- d
					}
				}
				onChanged(t, cfg, &watcher{}, change, func(l *event.Loop) {
					gate, in := ringo.NewChan[bool](0), (*loop.Loop)(l.Ringo())
					parked := 0
					begin(l, func() { parked++; parkIn(gate) })
					l.AfterFunc(0, func() {})
					in.Go(func() {
						for n := 1; n <= parks; n++ {
							for parked < n {
								in.YieldTurn()
							}
							clock.jump(each)
							in.YieldTurn()
							gate.Send(true)
						}
					}).Wait()
					if n := census.StatsOf(in).Stalls; n != 1 {
						t.Errorf("%d stalls", n)
					}
				})
				if len(told) != 1 {
					t.Fatalf("told %d times", len(told))
				}
				if d, text := <-took, <-told; d < limit || d >= limit+each || !strings.Contains(text, "Chan.Recv") {
					t.Errorf("told after %v: %q", d, text)
				}
			})
		})
	}
}

// A callback that parks for good is told of also if one was told of just before: when the time for that has come. One
// that goes on before is among those that the next report counts.
func TestParksForGoodBehindAReport(t *testing.T) {
	const limit = time.Second
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var clock stillClock
		told := make(chan string, 10)
		change := func(c *loop.Config) {
			c.Clock, c.Stall = clock.now, limit
			c.Complain = func(text string) {
				if strings.Contains(text, "is parked in ") {
					told <- text
				}
			}
		}
		onChanged(t, cfg, &watcher{}, change, func(l *event.Loop) {
			in := (*loop.Loop)(l.Ringo())
			for i, c := range []struct{ parks, unsaid time.Duration }{
				{limit, 0}, {limit, 0}, {limit + loop.ComplainEvery, 1},
			} {
				gate, parked, done := ringo.NewChan[bool](0), false, false
				l.AfterFunc(0, func() { parked = true; parkIn(gate) })
				l.AfterFunc(0, func() { done = true })
				in.Go(func() {
					for !parked {
						in.YieldTurn()
					}
					for left := c.parks; left > 0; left -= limit {
						clock.jump(limit)
						in.YieldTurn()
						in.YieldTurn()
					}
					gate.Close()
					for !done {
						in.YieldTurn()
					}
				}).Wait()
				want := ""
				switch {
				case i == 0:
					want = "a callback of loop 0 "
				case c.unsaid > 0:
					want = "Since the last report that came 1 more times."
				}
				if n := len(told); n != min(len(want), 1) {
					t.Errorf("park %d: told %d times", i, n)
				} else if n > 0 {
					if text := <-told; !strings.Contains(text, want) {
						t.Errorf("park %d: told %q", i, text)
					}
				}
			}
			if n := census.StatsOf(in).Stalls; n != 3 {
				t.Errorf("%d stalls", n)
			}
		})
	})
}

// Whose bytes go along with a Detach are told before OnClose, in order, and OnClose is last. An Abort by one of them
// still ends the connection.
func TestDetachTellsBeforeOnClose(t *testing.T) {
	for _, abort := range []bool{false, true} {
		t.Run(fmt.Sprintf("Abort is %v", abort), func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				var told []string
				var failed error
				connected, left := make(chan bool), make(chan bool)
				h := &funcs{
					open: func(c *event.Conn) {
						c.SetMarks(100<<20, 100<<20)
						crowd(t, c)
						for i := range 3 {
							if err := c.WriteThen([]byte("goes along"), func(err error) {
								told = append(told, fmt.Sprint(i, " ", err))
								if abort && i == 1 {
									c.Abort()
								}
							}); err != nil {
								t.Error(err)
							}
						}
						c.Loop().Ringo().Go(func() {
							defer close(left)
							c.Loop().Ringo().Offload(func(context.Context) error { <-connected; return nil })
							var s *sock.Conn
							if s, failed = c.Detach(); failed == nil {
								s.SetLinger(0)
								s.Close()
							}
						})
					},
					close: func(_ *event.Conn, err error) { told = append(told, fmt.Sprint("closed ", err)) },
				}
				pair(t, cfg, h, func(*net.TCPConn) error { close(connected); <-left; return nil })
				why := event.ErrDetached
				if abort {
					why = nil
				}
				want := []string{"0 <nil>", "1 <nil>", "2 <nil>", fmt.Sprint("closed ", why)}
				if !slices.Equal(told, want) || errors.Is(failed, net.ErrClosed) != abort {
					t.Errorf("told %q, want %q; Detach: %v", told, want, failed)
				}
			})
		})
	}
}
