package sim_test

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// collects receives datagrams on port 7000 until the loop is drained, and calls came for each.
func collects(setUp func(c *sock.PacketConn) error, came func(text string)) func(l *ringo.Loop) error {
	return func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp", ":7000")
		if err != nil {
			return err
		}
		l.OnDrain(func() { c.Close() })
		if err := setUp(c); err != nil {
			return err
		}
		for p := make([]byte, 100); ; {
			n, _, err := c.ReadFrom(p)
			if err != nil {
				return nil
			}
			came(string(p[:n]))
		}
	}
}

// Sockets of several loops on one port share the peers: each peer has one of them, and each of them some peers.
func TestLoopsSharePeers(t *testing.T) {
	const loops, peers = 4, 50
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		came := map[string]map[int]bool{} // of each peer, the loops that have heard of it
		nothing := func(*sock.PacketConn) error { return nil }
		w.Host("server").Run(&ringo.Config{Loops: loops}, func(l *ringo.Loop) error {
			return collects(nothing, func(text string) {
				if came[text] == nil {
					came[text] = map[int]bool{}
				}
				came[text][l.Index()] = true
			})(l)
		})
		w.RunFor(time.Second)
		client := w.Host("client").Run(nil, func(l *ringo.Loop) error {
			for i := range peers {
				c, err := sock.DialPacket(l, "udp", "server:7000")
				if err != nil {
					return err
				}
				for range 3 {
					fmt.Fprint(c, "peer ", i)
				}
				c.Close()
			}
			return nil
		})
		w.Check(w.Wait(client))
		w.RunFor(time.Second)
		used := map[int]int{}
		for peer, by := range came {
			if len(by) != 1 {
				w.Errorf("%s has come to the loops %v", peer, by)
			}
			for i := range by {
				used[i]++
			}
		}
		if len(came) != peers || len(used) != loops {
			w.Errorf("%d peers have come, to loops so often: %v", len(came), used)
		}
	})
}

// Multicasts reach the members of the group on all hosts, over the links between them, the sender's own host unless it
// has turned that off, and nobody else.
func TestMulticast(t *testing.T) {
	for _, group := range []netip.Addr{netip.MustParseAddr("239.1.2.3"), netip.MustParseAddr("ff02::7")} {
		sim.Run(t, 1, func(w *sim.World) {
			w.Link = sim.Link{Latency: 10 * time.Millisecond}
			came := map[string][]string{}
			at := map[string]time.Duration{}
			member := func(name string, setUp func(c *sock.PacketConn) error) *sim.Host {
				host := w.Host(name)
				host.Run(nil, collects(setUp, func(text string) {
					came[name] = append(came[name], text)
					at[name+text] = w.Elapsed()
				}))
				return host
			}
			joins := func(c *sock.PacketConn) error { return c.JoinGroup(nil, group) }
			sender := member("sender", joins)
			member("member", joins)
			cut := member("cut", joins)
			member("none", func(*sock.PacketConn) error { return nil })
			member("left", func(c *sock.PacketConn) error {
				if err := joins(c); err != nil {
					return err
				}
				return c.LeaveGroup(nil, group)
			})
			w.Cut(sender, cut)
			w.RunFor(time.Second)
			w.Check(w.Wait(sender.Run(nil, func(l *ringo.Loop) error {
				c, err := sock.ListenPacket(l, "udp", ":0")
				if err != nil {
					return err
				}
				defer c.Close()
				to := &net.UDPAddr{IP: group.AsSlice(), Port: 7000}
				if _, err := c.WriteTo([]byte("all"), to); err != nil {
					return err
				}
				if err := c.SetMulticastLoopback(false); err != nil {
					return err
				}
				if _, err := c.WriteTo([]byte("others"), to); err != nil {
					return err
				}
				to.Port++
				_, err = c.WriteTo([]byte("to a port of nobody"), to)
				return err
			})))
			w.RunFor(time.Second)
			want := map[string][]string{"sender": {"all"}, "member": {"all", "others"}}
			if !maps.EqualFunc(came, want, slices.Equal) {
				w.Errorf("%v: what has come is %q", group, came)
			}
			if took := at["memberall"] - at["senderall"]; took.Round(time.Millisecond) != 10*time.Millisecond {
				w.Errorf("%v: it has taken %v", group, took)
			}
		})
	}
}

// The second copy of a datagram comes with the first, or later, also behind other datagrams, on a network without
// jitter, too.
func TestDuplicateComesLate(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: 10 * time.Millisecond, Duplicate: 0.5}
		var came []string
		w.Host("server").Run(nil, collects(func(*sock.PacketConn) error { return nil },
			func(text string) { came = append(came, text) }))
		w.RunFor(time.Second)
		w.Check(w.Wait(w.Host("client").Run(nil, func(l *ringo.Loop) error {
			c, err := sock.DialPacket(l, "udp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			for i := range 200 {
				fmt.Fprint(c, i)
				l.Sleep(time.Millisecond)
			}
			return nil
		})))
		w.RunFor(time.Second)
		beside, behind := 0, 0
		for i, text := range came {
			switch first := slices.Index(came, text); {
			case first == i-1:
				beside++
			case first < i:
				behind++
			}
		}
		if beside == 0 || behind == 0 {
			w.Errorf("of %d that have come %d are seconds in a row, and %d behind others", len(came), beside, behind)
		}
	})
}
