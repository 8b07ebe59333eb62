//go:build linux

package sock_test

import (
	"testing"

	"ringo"
	"ringo/sock"
)

// steadyPackets are the ways to echo that allocate nothing.
var steadyPackets = map[string]func(c *sock.PacketConn){
	"AddrPort": func(c *sock.PacketConn) {
		p := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(p)
			if err != nil {
				return
			}
			c.WriteToUDPAddrPort(p[:n], from)
		}
	},
	"messages with control": func(c *sock.PacketConn) {
		c.SetControl(sock.ControlLocal|sock.ControlTOS, true)
		p, oob := make([]byte, 2048), make([]byte, sock.ControlMax)
		for {
			n, oobn, _, from, err := c.ReadMsgUDPAddrPort(p, oob)
			if err != nil {
				return
			}
			control := sock.ParseControl(oob[:oobn])
			c.WriteMsgUDPAddrPort(p[:n], control.Append(oob[:0], from.Addr()), from)
		}
	},
	"batches": func(c *sock.PacketConn) {
		ms := make([]sock.Message, 16)
		room := make([][]byte, len(ms))
		for i := range ms {
			room[i] = make([]byte, 2048)
			ms[i].Buffers = [][]byte{room[i]}
		}
		for {
			n, err := c.ReadBatch(ms)
			if err != nil {
				return
			}
			for i := range n {
				ms[i].Buffers[0] = room[i][:ms[i].N]
			}
			c.WriteBatch(ms[:n])
			for i := range n {
				ms[i].Buffers[0] = room[i]
			}
		}
	},
	"GRO and segments": func(c *sock.PacketConn) {
		c.SetGRO(true)
		p := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(p)
			if err != nil {
				return
			}
			c.WriteSegments(p[:n], 25, from)
		}
	},
}

// A socket at work in tasks allocates nothing.
func TestPacketAllocs(t *testing.T) {
	skipAllocs(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, fn := range steadyPackets {
			t.Run(name, func(t *testing.T) {
				s := servePacket(t, cfg, "udp", "127.0.0.1:0")
				task := s.Loop().Go(func() { fn(s.PacketConn) })
				peer := dialUDP(t, s.LocalAddr().String())
				defer peer.Close()
				p, got := make([]byte, 64), make([]byte, 64)
				wantAllocs(t, "four datagrams", 0, 300, func() {
					for range 4 {
						if _, err := peer.Write(p); err != nil {
							t.Fatal(err)
						}
					}
					for n := 0; n < 4*len(p); {
						k, err := peer.Read(got)
						if err != nil {
							t.Fatal(err)
						}
						n += k
					}
				})
				s.Close()
				task.Wait()
			})
		}
	})
}
