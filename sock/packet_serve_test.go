package sock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/cmsg"
	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// onServed runs body beside a ServePackets of a socket that is bound to an address with port 0, with which it ends.
func onServed(t *testing.T, cfg ringo.Config, address string, h sock.PacketHandler,
	body func(l *ringo.Loop, c *sock.PacketConn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		c := listenPacket(t, l, "udp", address)
		served := l.Go(func() {
			if err := sock.ServePackets(l, c, &h); err != nil {
				t.Errorf("ServePackets() = %v", err)
			}
		})
		body(l, c)
		c.Close()
		served.Wait()
	})
}

// peerOf is a socket of the loop's that is connected to an address, closed by the caller.
func peerOf(t *testing.T, l *ringo.Loop, to net.Addr) *sock.PacketConn {
	t.Helper()
	c, err := sock.DialPacket(l, "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(socktest.Now(l).Add(patience.Max))
	return c
}

// wantReply wants exactly these bytes from the peer.
func wantReply(t *testing.T, c *sock.PacketConn, want string) {
	t.Helper()
	p := make([]byte, 1<<16)
	n, err := c.Read(p)
	if string(p[:n]) != want || err != nil {
		t.Fatalf("the peer got %.40q, %v, want %.40q", p[:n], err, want)
	}
}

// post sends a datagram.
func post(t *testing.T, c *sock.PacketConn, p string) {
	t.Helper()
	if _, err := c.Write([]byte(p)); err != nil {
		t.Fatal(err)
	}
}

// Each datagram is answered, also those whose handler waits, and each handler has its own bytes meanwhile.
func TestServePackets(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const peers, rows = 3, 60
		served := 0
		onServed(t, cfg, "127.0.0.1:0", sock.PacketHandler{Packet: func(p *sock.Packet) {
			if served++; served%3 == 0 {
				p.Conn().Loop().Sleep(0)
			}
			if err := p.Reply(p.Bytes); err != nil {
				t.Errorf("Reply() = %v", err)
			}
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			served = 0 // a body has several worlds
			var all ringo.WaitGroup
			for i := range peers {
				peer := peerOf(t, l, c.LocalAddr())
				all.Go(func() {
					defer peer.Close()
					missing := map[string]bool{}
					for j := range rows {
						s := fmt.Sprint(i, j)
						post(t, peer, s)
						missing[s] = true
						if j%20 < 19 { // what the peer's queue has room for
							continue
						}
						for p := make([]byte, 100); len(missing) > 0; {
							n, err := peer.Read(p)
							if err != nil || !missing[string(p[:n])] {
								t.Errorf("got %q, %v", p[:n], err)
								return
							}
							delete(missing, string(p[:n]))
						}
					}
				})
			}
			all.Wait()
			if served != peers*rows {
				t.Errorf("%d datagrams were handled, of %d", served, peers*rows)
			}
		})
	})
}

// No more calls of a handler are under way than it may have; what comes meanwhile waits in the kernel.
func TestServePacketsTasks(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const most = 3
		running, peak := 0, 0
		goOn := ringo.NewChan[bool](0)
		onServed(t, cfg, "127.0.0.1:0", sock.PacketHandler{Tasks: most, Packet: func(p *sock.Packet) {
			running++
			peak = max(peak, running)
			goOn.Recv()
			p.Reply(p.Bytes)
			running--
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			peer := peerOf(t, l, c.LocalAddr())
			defer peer.Close()
			for i := range 4 * most {
				post(t, peer, string(rune('a'+i)))
			}
			for range 4 * most {
				goOn.Send(true)
			}
			for i := range 4 * most {
				wantReply(t, peer, string(rune('a'+i)))
			}
			if peak != most {
				t.Errorf("%d calls were under way at once, want %d", peak, most)
			}
		})
	})
}

// A reply that can't be sent fails for who sends it, and for no one else of those that travel with it.
func TestServePacketsReplyFails(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		errs := map[string]error{}
		onServed(t, cfg, "127.0.0.1:0", sock.PacketHandler{Packet: func(p *sock.Packet) {
			b := p.Bytes
			if string(b) == "large" {
				b = make([]byte, 1<<16)
			}
			errs[string(p.Bytes)] = p.Reply(b)
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			peer := peerOf(t, l, c.LocalAddr())
			defer peer.Close()
			all := []string{"first", "large", "second", "large", "third"}
			for _, s := range all {
				post(t, peer, s)
			}
			for _, s := range []string{"first", "second", "third"} {
				wantReply(t, peer, s)
				if errs[s] != nil {
					t.Errorf("the reply to %s failed with %v", s, errs[s])
				}
			}
			if err := errs["large"]; !errors.Is(err, posix.EMSGSIZE) {
				t.Errorf("a reply that is too long: %v, want EMSGSIZE", err)
			}
		})
	})
}

// A handler that panics, or ends its task, or gives its datagram to another task, takes nothing from the others.
func TestServePacketsStrayHandlers(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		panics := 0
		cfg.OnPanic = func(*ringo.Loop, any, []byte) { panics++ }
		onServed(t, cfg, "127.0.0.1:0", sock.PacketHandler{Packet: func(p *sock.Packet) {
			switch string(p.Bytes) {
			case "panic":
				panic("of a handler")
			case "exit":
				runtime.Goexit()
			case "two":
				other := p.Conn().Loop().Go(func() { p.Reply([]byte("one of two")) })
				p.Reply([]byte("one of two"))
				other.Wait()
			}
			p.Reply(p.Bytes)
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			panics = 0
			peer := peerOf(t, l, c.LocalAddr())
			defer peer.Close()
			for range 3 {
				post(t, peer, "panic")
				post(t, peer, "exit")
				post(t, peer, "two")
				wantReply(t, peer, "one of two")
				wantReply(t, peer, "one of two")
				wantReply(t, peer, "two")
			}
			if panics != 3 {
				t.Errorf("OnPanic was told of %d panics, want 3", panics)
			}
		})
	})
}

// What has come when a drain begins is answered, with what comes behind it, up to a bound: a peer that goes on sending
// does not hold the drain.
func TestServePacketsDrain(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		cfg.Grace = patience.Max
		err := ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			c := listenPacket(t, l, "udp", "127.0.0.1:0")
			defer c.Close()
			peer := peerOf(t, l, c.LocalAddr())
			defer peer.Close()
			for range 100 {
				post(t, peer, "before")
			}
			drained := false
			l.OnDrain(func() { drained = true })
			served := 0
			err := sock.ServePackets(l, c, &sock.PacketHandler{Packet: func(p *sock.Packet) {
				if served++; served == 1 {
					cancel()
					for !drained {
						l.Sleep(0)
					}
				}
				if served < 5000 { // for each come two, as far as there is room
					post(t, peer, "more")
					post(t, peer, "more")
				}
				if err := p.Reply(p.Bytes); err != nil {
					t.Errorf("Reply() = %v", err)
				}
			}})
			if err != nil {
				t.Errorf("ServePackets() = %v at a drain", err)
			}
			if served < 1024 || served > 2048 {
				t.Errorf("%d datagrams were answered, want some 1024", served)
			}
			wantReply(t, peer, "before")
			return nil
		})
		if err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}

// A server that waits ends at a drain at once.
func TestServePacketsDrainAtRest(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace, cfg.Loops = patience.Max, 2
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		answered := make(chan bool)
		go func() {
			<-answered
			cancel()
		}()
		set, err := sock.ReservePackets("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		to := fmt.Sprint("127.0.0.2:", set.Addr().(*net.UDPAddr).Port) // which nobody else has
		done := make(chan error, 1)
		go func() {
			done <- sock.ListenAndServePackets(ctx, &cfg, "udp", to, func(p *sock.Packet) { p.Reply(p.Bytes) })
		}()
		peer := dialUDP(t, to)
		defer peer.Close()
		p := make([]byte, 10)
		for { // it may not listen yet
			peer.Write([]byte("a"))
			if n, err := peer.Read(p); err == nil && n == 1 {
				break
			} else if !errors.Is(err, posix.ECONNREFUSED) {
				t.Fatal(err)
			}
			if len(done) > 0 {
				t.Fatalf("ListenAndServePackets() = %v", <-done)
			}
		}
		close(answered)
		patience.Within("the server's end", func() { err = <-done })
		if err != nil {
			t.Errorf("ListenAndServePackets() = %v", err)
		}
	})
}

// A reply comes from the address that was asked.
func TestServePacketsAnswersFromThere(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		echo := sock.PacketHandler{Packet: func(p *sock.Packet) {
			if err := p.Reply(p.Bytes); err != nil {
				t.Errorf("Reply() = %v", err)
			}
		}}
		for address, hosts := range map[string][]string{
			"0.0.0.0:0": {"127.0.0.1", "127.0.0.2"}, ":0": {"127.0.0.3", "::1"}, "[::]:0": {"127.0.0.1", "::1"},
		} {
			onServed(t, cfg, address, echo, func(l *ringo.Loop, c *sock.PacketConn) {
				for _, host := range hosts {
					if host == "::1" && !haveIPv6() {
						continue
					}
					to := netip.AddrPortFrom(netip.MustParseAddr(host), uint16(c.LocalAddr().(*net.UDPAddr).Port))
					peer := peerOf(t, l, net.UDPAddrFromAddrPort(to))
					post(t, peer, "who is it")
					wantReply(t, peer, "who is it")
					peer.Close()
				}
			})
		}
	})
}

// So does each of several replies to a datagram, of tasks that send them at once, and one with no control messages in
// memory for some.
func TestServePacketsAnswersAgainFromThere(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onServed(t, cfg, "0.0.0.0:0", sock.PacketHandler{Packet: func(p *sock.Packet) {
			var all ringo.WaitGroup
			for range 3 {
				all.Go(func() {
					if err := p.Reply(p.Bytes); err != nil {
						t.Errorf("Reply() = %v", err)
					}
				})
			}
			all.Wait()
			if err := p.ReplyMsg([]byte("last"), make([]byte, 0, sock.ControlMax)); err != nil {
				t.Errorf("ReplyMsg() = %v", err)
			}
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			peer := listenPacket(t, l, "udp4", "127.0.0.1:0")
			defer peer.Close()
			peer.SetDeadline(socktest.Now(l).Add(patience.Max))
			to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(c.LocalAddr().(*net.UDPAddr).Port))
			if _, err := peer.WriteToUDPAddrPort([]byte("who is it"), to); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"who is it", "who is it", "who is it", "last"} {
				p := make([]byte, 100)
				n, from, err := peer.ReadFromUDPAddrPort(p)
				if string(p[:n]) != want || from != to || err != nil {
					t.Errorf("the peer got %q from %v, %v, want %q from %v", p[:n], from, err, want, to)
				}
			}
		})
	})
}

// So does that of a link's address to who has asked from another, though only the interface tells which it is.
func TestServePacketsAnswersFromLink(t *testing.T) {
	t.Parallel()
	link, global := linkAddresses(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		if cfg.Driver == socktest.World {
			t.Skip("worlds have no interfaces of this machine")
		}
		var peer *sock.PacketConn
		onServed(t, cfg, "[::]:0", sock.PacketHandler{Packet: func(p *sock.Packet) {
			if err := p.Reply(p.Bytes); err != nil {
				t.Errorf("Reply() = %v", err)
				peer.Close()
			}
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			peer = listenPacket(t, l, "udp6", netip.AddrPortFrom(global, 0).String())
			defer peer.Close()
			peer.SetDeadline(socktest.Now(l).Add(patience.Max))
			to := netip.AddrPortFrom(link, uint16(c.LocalAddr().(*net.UDPAddr).Port))
			if _, err := peer.WriteToUDPAddrPort([]byte("who is it"), to); err != nil {
				t.Skipf("%v has no way to %v: %v", global, to, err)
			}
			p := make([]byte, 100)
			n, from, err := peer.ReadFromUDPAddrPort(p)
			if string(p[:n]) != "who is it" || from.Addr().WithZone("") != link.WithZone("") || err != nil {
				t.Errorf("the peer got %q from %v, %v, want it from %v", p[:n], from, err, to)
			}
		})
	})
}

// linkAddresses gives an address of this machine that holds on its link alone, and one that holds everywhere.
func linkAddresses(t *testing.T) (link, global netip.Addr) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range all {
		addrs, err := ifi.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			switch a := p.Addr(); {
			case err != nil || !a.Is6():
			case a.IsLinkLocalUnicast():
				link = a.WithZone(ifi.Name)
			case a.IsGlobalUnicast():
				global = a
			}
		}
	}
	if !link.IsValid() || !global.IsValid() {
		t.Skip("this machine has no address of IPv6 of its own, or none of a link")
	}
	return link, global
}

// withoutIPv4 is a kernel that has no options of IPv4, as other systems have none for sockets of IPv6, and some
// none that says which address was asked.
type withoutIPv4 struct{ kernel.Kernel }

func (k withoutIPv4) Setsockopt(fd int32, level, name, value int) int32 {
	if level == cmsg.LevelIP {
		return -sys.ENOPROTOOPT
	}
	return k.Kernel.Setsockopt(fd, level, name, value)
}

// Where the system can't tell which address was asked, datagrams are served all the same, and a socket of IPv6 has the
// options of its own family.
func TestServePacketsWithoutOptionsOfIPv4(t *testing.T) {
	defer kernel.Through(withoutIPv4{kernel.Process()})()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		echo := sock.PacketHandler{Packet: func(p *sock.Packet) {
			if err := p.Reply(p.Bytes); err != nil {
				t.Errorf("Reply() = %v", err)
			}
		}}
		for address, six := range map[string]bool{"0.0.0.0:0": false, "[::]:0": true} {
			network := "udp4"
			if six {
				network = "udp"
			}
			onLoop(t, cfg, func(l *ringo.Loop) {
				c := listenPacket(t, l, network, address)
				defer c.Close()
				err := c.SetControl(sock.ControlTTL, true)
				if refused := errors.Is(err, posix.ENOPROTOOPT); !six && cfg.Driver != socktest.World && !refused ||
					six && haveIPv6() && err != nil {
					t.Errorf("SetControl on %s = %v", address, err)
				}
				if six && haveIPv6() {
					if err := c.SetMulticastTTL(2); err != nil {
						t.Error(err)
					}
				}
				l.Go(func() {
					if err := sock.ServePackets(l, c, &echo); err != nil {
						t.Errorf("ServePackets() on %s = %v", address, err)
					}
				})
				to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(c.LocalAddr().(*net.UDPAddr).Port))
				peer := peerOf(t, l, net.UDPAddrFromAddrPort(to))
				defer peer.Close()
				post(t, peer, "who is it")
				wantReply(t, peer, "who is it")
			})
		}
	})
}

// So does that to a datagram which has come before anyone serves.
func TestServePacketsAnswersTheFirst(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range []string{"udp", "udp4"} {
			onLoop(t, cfg, func(l *ringo.Loop) {
				c := listenPacket(t, l, network, ":0")
				to := net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: c.LocalAddr().(*net.UDPAddr).Port}
				peer := peerOf(t, l, &to)
				defer peer.Close()
				post(t, peer, "early")
				l.Sleep(1) // with the turn's end it is out
				served := l.Go(func() {
					if err := sock.ServePackets(l, c, &sock.PacketHandler{Packet: func(p *sock.Packet) {
						p.Reply(p.Bytes)
					}}); err != nil {
						t.Errorf("ServePackets() = %v", err)
					}
				})
				wantReply(t, peer, "early")
				c.Close()
				served.Wait()
			})
		}
	})
}

// What is longer than there is room for is cut, and said to be.
func TestServePacketsSize(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onServed(t, cfg, "127.0.0.1:0", sock.PacketHandler{Size: 10, Packet: func(p *sock.Packet) {
			p.Reply(fmt.Appendf(nil, "%s %d", p.Bytes, p.Flags))
		}}, func(l *ringo.Loop, c *sock.PacketConn) {
			peer := peerOf(t, l, c.LocalAddr())
			defer peer.Close()
			post(t, peer, "ten bytes.")
			wantReply(t, peer, "ten bytes. 0")
			post(t, peer, "more bytes than ten")
			wantReply(t, peer, fmt.Sprint("more bytes ", 0x20))
		})
	})
}

// A server of a connected socket outlives what its peer's host says of datagrams that nobody took.
func TestServePacketsOfUnreachable(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			gone := listenPacket(t, l, "udp", "127.0.0.3:0") // where nobody else is
			c := peerOf(t, l, gone.LocalAddr())
			at := gone.LocalAddr().String()
			gone.Close()
			served := l.Go(func() {
				err := sock.ServePackets(l, c, &sock.PacketHandler{Packet: func(p *sock.Packet) {
					err := p.Reply(p.Bytes)
					for range 3 { // which may be of one before, whose host has been slow to say so
						if errors.Is(err, posix.ECONNREFUSED) {
							err = p.Reply(p.Bytes)
						}
					}
					if err != nil {
						t.Errorf("Reply() = %v", err)
					}
				}})
				if err != nil {
					t.Errorf("ServePackets() = %v", err)
				}
			})
			for range 3 {
				c.Write([]byte("nobody is there")) // and may hear that of the one before
				l.Sleep(0)
			}
			peer := listenPacket(t, l, "udp", at)
			defer peer.Close()
			peer.SetDeadline(socktest.Now(l).Add(patience.Max))
			to := netip.MustParseAddrPort(c.LocalAddr().String())
			if _, err := peer.WriteToUDPAddrPort([]byte("here"), to); err != nil {
				t.Fatal(err)
			}
			wantReply(t, peer, "here")
			c.Close()
			served.Wait()
		})
	})
}

// ServePackets says what it is given wrongly, and ends with an error that is its own.
func TestServePacketsRefuses(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		handle := func(p *sock.Packet) {}
		onLoop(t, cfg, func(l *ringo.Loop) {
			c := listenPacket(t, l, "udp", "127.0.0.1:0")
			defer c.Close()
			serve := func(c *sock.PacketConn, h sock.PacketHandler) error { return sock.ServePackets(l, c, &h) }
			for words, err := range map[string]error{
				"nil PacketConn":               serve(nil, sock.PacketHandler{Packet: handle}),
				"without PacketHandler.Packet": serve(c, sock.PacketHandler{}),
				"Size or Tasks is negative":    serve(c, sock.PacketHandler{Packet: handle, Size: -1}),
				"or Tasks is negative":         serve(c, sock.PacketHandler{Packet: handle, Tasks: -1}),
				"Size more than 65536":         serve(c, sock.PacketHandler{Packet: handle, Size: 65537}),
				"invalid argument":             serve(new(sock.PacketConn), sock.PacketHandler{Packet: handle}),
				"from inside a task": sock.ListenAndServePackets(t.Context(), nil, "udp", "127.0.0.1:0",
					handle),
			} {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("%v, want one that says %q", err, words)
				}
			}
			c.SetReadDeadline(l.Now())
			if err := serve(c, sock.PacketHandler{Packet: handle}); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ServePackets() = %v behind the read deadline", err)
			}
			c.SetReadDeadline(socktest.Now(l).Add(patience.Max))
			task := l.Go(func() { wantCanceled(t, "ServePackets", serve(c, sock.PacketHandler{Packet: handle})) })
			l.Sleep(0)
			task.Cancel()
			task.Wait()
		})
		var p sock.Packet
		if err := p.Reply(nil); err == nil || p.Conn() != nil {
			t.Errorf("Reply() = %v of a zero value, with %v", err, p.Conn())
		}
	})
}

// A datagram that is handled and answered at once allocates nothing.
func TestServePacketsAllocs(t *testing.T) {
	skipAllocs(t)
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onServed(t, cfg, "0.0.0.0:0", sock.PacketHandler{Packet: func(p *sock.Packet) { p.Reply(p.Bytes) }},
			func(l *ringo.Loop, c *sock.PacketConn) {
				to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(c.LocalAddr().(*net.UDPAddr).Port))
				peer := peerOf(t, l, net.UDPAddrFromAddrPort(to))
				defer peer.Close()
				p := make([]byte, 100)
				allocs := alloctest.Least(100, 0.1, func() {
					for range 4 {
						peer.Write(p)
					}
					for range 4 {
						peer.Read(p)
					}
				})
				if allocs > 0.1 {
					t.Errorf("%v allocations", allocs)
				}
			})
	})
}

// steered is a datagram of QUIC whose connection id has b at a place.
func steered(long bool, at int, b byte) []byte {
	id := make([]byte, at+1)
	id[at] = b
	if long {
		return append([]byte{0xc0, 0, 0, 0, 1, byte(len(id))}, id...)
	}
	return append([]byte{0x40}, id...)
}

// Each loop of a Run has a socket on one port, and gets the datagrams that are steered to it, whoever sends them, and
// those that nobody steers.
func TestPacketSet(t *testing.T) {
	t.Parallel()
	for _, at := range []int{-1, 0, 7, 19} { // -1: not steered
		socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
			cfg.Loops = 3
			set, err := sock.ReservePackets("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			if at >= 0 {
				if err := set.SteerQUIC(at); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			listens := make(chan bool, cfg.Loops)
			done := make(chan error, 1)
			go func() {
				done <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
					c, err := set.Listen(l)
					if err != nil {
						return err
					}
					defer c.Close()
					if again, err := set.Listen(l); !errors.Is(err, posix.EADDRINUSE) {
						t.Errorf("Listen again = %v, %v", again, err)
					}
					listens <- true
					return sock.ServePackets(l, c, &sock.PacketHandler{Packet: func(p *sock.Packet) {
						if err := p.Reply([]byte{byte(l.Index())}); err != nil {
							t.Errorf("Reply() = %v", err)
						}
					}})
				})
			}()
			for range cfg.Loops {
				select {
				case <-listens:
				case err := <-done:
					t.Fatalf("Run() = %v, before all loops listen", err)
				}
			}
			asked := func(peer *net.UDPConn, p []byte) int {
				t.Helper()
				got := make([]byte, 8)
				if _, err := peer.Write(p); err != nil {
					t.Fatal(err)
				}
				if n, err := peer.Read(got); n != 1 || err != nil {
					t.Fatalf("read %d bytes, %v", n, err)
				}
				return int(got[0])
			}
			reached := map[int]int{}
			for i := range 40 {
				peer := dialUDP(t, set.Addr().String())
				home := asked(peer, []byte{0x40})
				reached[home]++
				for _, p := range [][]byte{nil, {0xc0}, {0xc0, 0, 0, 0, 1, 0, 0}} { // without a connection id
					if l := asked(peer, p); l != home {
						t.Errorf("%x came to loop %d, its peer's is %d", p, l, home)
					}
				}
				for _, long := range []bool{false, true} {
					if at < 0 {
						break
					}
					p := steered(long, at, byte(7*i))
					if l := asked(peer, p); l != 7*i%256%cfg.Loops {
						t.Errorf("%x came to loop %d, not to %d", p, l, 7*i%256%cfg.Loops)
					}
					if l := asked(peer, p[:len(p)-1]); l != home { // the id's byte is missing
						t.Errorf("%x came to loop %d, its peer's is %d", p[:len(p)-1], l, home)
					}
					if long {
						p[5]-- // now the byte is not the id's
						if l := asked(peer, p); l != home {
							t.Errorf("%x came to loop %d, its peer's is %d", p, l, home)
						}
					}
				}
				peer.Close()
			}
			if len(reached) != cfg.Loops {
				t.Errorf("of 40 peers came to each loop: %v", reached)
			}
			cancel()
			patience.Within("the Run's end", func() { err = <-done })
			if err != nil {
				t.Errorf("Run() = %v", err)
			}
		})
	}
}

// What a set can't do it says.
func TestPacketSetRefuses(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			set, err := sock.ReservePackets("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sock.ListenPacket(l, "udp", set.Addr().String()); !errors.Is(err, posix.EADDRINUSE) {
				t.Errorf("ListenPacket beside the set = %v", err)
			}
			for _, at := range []int{-1, 20} {
				if err := set.SteerQUIC(at); err == nil {
					t.Errorf("SteerQUIC(%d) = nil", at)
				}
			}
			err = set.SteerQUIC(0)
			unknown := errors.Is(err, errors.ErrUnsupported)
			if unknown != socktest.InWorld() || !unknown && err != nil {
				t.Errorf("SteerQUIC(0) = %v", err)
			}
			c, err := set.Listen(l)
			if err != nil {
				t.Fatal(err)
			}
			if err := set.SteerQUIC(0); err == nil {
				t.Error("SteerQUIC behind Listen = nil")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			c, err = set.Listen(l) // again
			if steered := !socktest.InWorld(); steered != (err != nil) {
				t.Errorf("Listen behind a Close = %v", err)
			}
			if err := set.Close(); err != nil {
				t.Error(err)
			}
			wantClosed(t, "Close again", set.Close())
			wantClosed(t, "SteerQUIC of a closed set", set.SteerQUIC(0))
			if _, err := set.Listen(l); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Listen of a closed set = %v", err)
			}
			if c != nil {
				c.Close()
			}
			for network, address := range map[string]string{
				"udp": "224.0.0.1:0", "tcp": "127.0.0.1:0", "udp4": "[::1]:0",
			} {
				if set, err := sock.ReservePackets(network, address); err == nil {
					t.Errorf("ReservePackets(%s, %s) = %v", network, address, set.Addr())
				}
			}
		})
	})
}

// A set is for one Run.
func TestPacketSetOfTwoRuns(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		set, err := sock.ReservePackets("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		cfg.Loops = 2
		listens := func() error {
			return ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
				c, err := set.Listen(l)
				if err != nil {
					return err
				}
				return c.Close()
			})
		}
		if err := listens(); err != nil {
			t.Errorf("the first Run: %v", err)
		}
		if err := listens(); err == nil {
			t.Error("another Run has sockets of the set")
		}
		if _, err := set.Listen(nil); err == nil {
			t.Error("a goroutine has a socket of the set")
		}
	})
}

// A closed set has no address any more, whether no loop has taken a socket or some have.
func TestPacketSetClose(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, taken := range []bool{false, true} {
			set, err := sock.ReservePackets("udp4", "127.0.0.4:0")
			if err != nil {
				t.Fatal(err)
			}
			if taken {
				err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
					if l.Index() == 1 {
						return nil
					}
					c, err := set.Listen(l)
					if err != nil {
						return err
					}
					return c.Close()
				})
				if err != nil {
					t.Error(err)
				}
			}
			if err := set.Close(); err != nil {
				t.Error(err)
			}
			if err := set.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Close() again = %v", err)
			}
			c, err := net.ListenUDP("udp4", set.Addr().(*net.UDPAddr))
			if err != nil {
				t.Fatalf("the address of a closed set: %v", err)
			}
			c.Close()
		}
	})
}
