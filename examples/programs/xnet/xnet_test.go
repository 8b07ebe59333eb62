package xnet

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// A batcher is what the adapter and x/net's own types have.
type batcher interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

var (
	_ batcher = PacketConn{}
	_ batcher = (*ipv4.PacketConn)(nil)
	_ batcher = (*ipv6.PacketConn)(nil)
)

// ends are sockets to send from and to read from; call runs what uses one.
type end struct {
	batcher
	addr net.Addr
	call func(f func()) error
}

func onNet(t *testing.T, address string) end {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	e := end{addr: c.LocalAddr(), batcher: ipv4.NewPacketConn(c), call: func(f func()) error { f(); return nil }}
	if e.addr.(*net.UDPAddr).IP.To4() == nil {
		e.batcher = ipv6.NewPacketConn(c)
	}
	return e
}

func onRingo(t *testing.T, r *rig.Rig, address string, task bool) end {
	l := r.Loop()
	c, err := sock.ListenPacket(l, "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	e := end{addr: c.LocalAddr(), batcher: PacketConn{c}, call: func(f func()) error { f(); return nil }}
	if task {
		e.call = func(f func()) error { return l.Go(f).Wait() }
	}
	return e
}

// Batches go between the adapter, from tasks and goroutines, and x/net itself, both ways.
func TestBatches(t *testing.T) {
	rig.EachDriver(t, rig.AllDrivers, func(t *testing.T, driver string) {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			if c, err := net.ListenPacket("udp", address); err != nil {
				t.Logf("skipping %s: %v", address, err)
				continue
			} else {
				c.Close()
			}
			r := rig.Loops(t, driver, 1)
			ends := map[string]func() end{
				"net":       func() end { return onNet(t, address) },
				"task":      func() end { return onRingo(t, r, address, true) },
				"goroutine": func() end { return onRingo(t, r, address, false) },
			}
			for from, sender := range ends {
				for to, reader := range ends {
					t.Run(fmt.Sprint(address, " ", from, " to ", to), func(t *testing.T) {
						rig.Within(t, func() { exchange(t, sender(), reader()) })
					})
				}
			}
		}
	})
}

// exchange sends datagrams of many sizes, each from two buffers, and reads them into two that the largest does not fit.
func exchange(t *testing.T, from, to end) {
	const count, most = 100, 150
	var sent []ipv4.Message
	for i := range count {
		text := make([]byte, i*2)
		for j := range text {
			text[j] = byte(i)
		}
		sent = append(sent, ipv4.Message{Buffers: [][]byte{text[:i/2], text[i/2:]}, Addr: to.addr})
	}
	if err := from.call(func() {
		for n := 0; n < count; {
			some, err := from.WriteBatch(sent[n:], 0)
			if err != nil {
				t.Error(err)
				return
			}
			n += some
		}
	}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < count; {
		ms := make([]ipv4.Message, 16)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 10), make([]byte, most-10)}
		}
		var n int
		var err error
		if e := to.call(func() { n, err = to.ReadBatch(ms, 0) }); e != nil || err != nil || n == 0 {
			t.Fatal(n, err, e)
		}
		for _, m := range ms[:n] {
			want := min(i*2, most)
			if m.N != want || (m.Flags != 0) != (i*2 > most) || m.Addr.String() != from.addr.String() {
				t.Fatalf("datagram %d: %d bytes, flags %#x, from %v; want %d bytes from %v", i, m.N, m.Flags,
					m.Addr, want, from.addr)
			}
			if m.N > 10 && (m.Buffers[0][9] != byte(i) || m.Buffers[1][m.N-11] != byte(i)) {
				t.Fatalf("datagram %d has other bytes", i)
			}
			i++
		}
	}
}

// What can't be had is an error, and nothing is sent.
func TestRefused(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		e := onRingo(t, rig.Loops(t, driver, 1), "127.0.0.1:0", false)
		ms := []ipv4.Message{{Buffers: [][]byte{{1}}, Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}}}
		if n, err := e.WriteBatch(ms, 0); n != 0 || err == nil {
			t.Errorf("to a TCP address: %d, %v", n, err)
		}
		if n, err := e.WriteBatch(ms, 2); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("with flags: %d, %v", n, err)
		}
		if n, err := e.ReadBatch(ms, 2); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("with flags: %d, %v", n, err)
		}
	})
}

// x/net's ReadFrom takes package net's sockets alone: one that has left Ringo is one of them.
func TestReadFrom(t *testing.T) {
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		c, err := sock.ListenPacket(rig.Loops(t, driver, 1).Loop(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p := make([]byte, 8)
		if _, _, _, err := ipv4.NewPacketConn(c).ReadFrom(p); err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadFrom of Ringo's: %v; docs/programs.md says that it fails", err)
		}
		conn, unread, err := c.DetachUDP()
		if err != nil || len(unread) != 0 {
			t.Fatal(len(unread), err)
		}
		pc := ipv4.NewPacketConn(conn)
		defer pc.Close()
		if err := pc.SetControlMessage(ipv4.FlagDst, true); err != nil {
			t.Fatal(err)
		}
		if _, err := pc.WriteTo([]byte("hello"), nil, conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		n, control, from, err := pc.ReadFrom(p)
		if err != nil || string(p[:n]) != "hello" || control == nil || from.String() != conn.LocalAddr().String() {
			t.Errorf("ReadFrom = %q, %v, %v, %v", p[:n], control, from, err)
		}
	})
}
