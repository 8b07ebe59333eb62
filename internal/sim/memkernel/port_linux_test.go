//go:build linux && !portable

package memkernel

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
)

// ports is a connection whose both ends are on one of two kernels, and the addresses that they had.
type ports struct {
	*either
	listener, c, s int32
	client, server *sys.Sockaddr
}

// asked is how a client has come to its port.
type asked string

const (
	byNumber asked = "a number"
	anyFree  asked = "0"
	byDial   asked = "none"
)

// portsOf makes the connection, from and to addresses that nobody else on the machine will have; reuse is SO_REUSEADDR
// of all.
func portsOf(k *either, net uint16, reuse int, how asked) *ports {
	x := &ports{either: k, client: new(sys.Sockaddr), server: new(sys.Sockaddr)}
	at := func(last byte, port uint16) *sys.Sockaddr {
		sa := new(sys.Sockaddr)
		sa.Set(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(net>>8) | 1, byte(net), last}), port))
		return sa
	}
	x.listener, _ = k.bindTo(at(1, 0), reuse)
	k.Setsockopt(x.listener, sys.SolSocket, sys.SoSndbuf, 1<<20)
	k.Listen(x.listener, 1)
	k.Getsockname(x.listener, x.server)
	x.c = k.Socket(sys.AFInet, sys.SockStream, 0)
	k.Setsockopt(x.c, sys.SolSocket, sys.SoReuseaddr, reuse)
	k.Setsockopt(x.c, sys.SolSocket, sys.SoRcvbuf, 1<<12)
	switch how {
	case byNumber:
		k.Bind(x.c, at(2, x.server.AddrPort().Port()))
	case anyFree:
		k.Bind(x.c, at(2, 0))
	}
	x.connect(x.c, x.server)
	k.Getsockname(x.c, x.client)
	x.fds = []int32{x.listener, x.c}
	return x
}

func (x *ports) connect(fd int32, to *sys.Sockaddr) int32 {
	done := uint32(0)
	return x.often(func() int32 {
		return x.op(op.Connect, fd, func(o *op.Op) { o.Ext.Addr, o.Done = *to, done; done = 1 })
	})
}

func (x *ports) accept() {
	x.s = x.often(func() int32 { return x.op(op.Accept, x.listener, nil) })
	x.close(x.listener)
	x.fds = append(x.fds, x.s)
}

// close closes one of its descriptors.
func (x *ports) close(fd int32) {
	x.Close(fd)
	x.fds = slices.DeleteFunc(x.fds, func(o int32) bool { return o == fd })
}

// hearsEnd waits until the peer's end has come.
func (x *ports) hearsEnd(fd int32) {
	x.often(func() int32 { return x.op(op.Recv, fd, func(o *op.Op) { o.Buf = make([]byte, 1) }) })
}

// fills writes more than the peer has room for, who does not read.
func (x *ports) fills(fd int32) {
	p := make([]byte, 1<<16)
	for x.op(op.Write, fd, func(o *op.Op) { o.Buf = p }) > 0 {
	}
}

func (x *ports) binds(at *sys.Sockaddr, reuse int) int32 {
	fd, res := x.bindTo(at, reuse)
	x.Close(fd)
	return res
}

// connects binds a socket, and says whether it may be connected; positive is the error of bind.
func (x *ports) connects(from, to *sys.Sockaddr) int32 {
	fd, res := x.bindTo(from, 1)
	defer x.Close(fd)
	if res != 0 {
		return -res
	}
	if to == nil {
		to = new(sys.Sockaddr)
		to.Set(netip.MustParseAddrPort("127.0.0.2:1"))
	}
	x.SetLinger(fd, 0)
	if res = x.op(op.Connect, fd, func(o *op.Op) { o.Ext.Addr = *to }); res != -sys.EADDRNOTAVAIL {
		return 0
	}
	return res
}

// told is what probes say of a connection that has come to something. Where they are compared with others, they wait
// for what is still on its way on the system.
func (x *ports) told(make func(x *ports), same func(i int, res int32) bool) (told []int32) {
	make(x)
	defer x.closeAll()
	for i, probe := range probes {
		res := probe.ask(x)
		for range 20 {
			if same(i, res) {
				break
			}
			time.Sleep(time.Millisecond)
			res = probe.ask(x)
		}
		told = append(told, res)
	}
	return told
}

// Who may have the ports of a connection, whatever it has come to, is as on the system's kernel. It may take more than
// one connection there, since time passes. A port that was picked for a dial other programs dial from as well, so that
// nobody is bound to it. Before Linux 6.12 an end that only waits for the peer's was no reason not to connect again.
func TestPortsAsTheSystem(t *testing.T) {
	for _, situation := range situations {
		for _, how := range []asked{byNumber, anyFree, byDial} {
			for _, reuse := range []int{0, 1} {
				h := NewNetwork(world.New(1)).Host("here")
				memory := portsOf(&either{Kernel: h, do: h.Attempt}, 1, reuse, how)
				got := memory.told(situation.make, func(int, int32) bool { return true })
				same := func(i int, want int32) bool {
					return got[i] == want || how == byDial && (want == sys.EADDRINUSE || want == -sys.EADDRINUSE) ||
						situation.waits && got[i] == -sys.EADDRNOTAVAIL && want == 0
				}
				var want []int32
				for range 20 {
					x := portsOf(&either{Kernel: kernel.Host{}, do: driver.Call}, uint16(rand.Uint32()), reuse, how)
					if at := x.client.AddrPort().Addr(); how == byDial && at != memory.client.AddrPort().Addr() {
						t.Fatalf("the system dials from %v, in memory from %v", at, memory.client.AddrPort())
					}
					want = x.told(situation.make, same)
					differ := false
					for i, res := range want {
						differ = differ || !same(i, res)
					}
					if !differ {
						break
					}
				}
				for i, probe := range probes {
					if !same(i, want[i]) {
						t.Errorf("%s; reuse %d, the client's port was asked for by %s: %s: in memory %d, the system %d",
							situation.name, reuse, how, probe.name, got[i], want[i])
					}
				}
			}
		}
	}
}

// situations are what a connection can have come to.
var situations = []struct {
	name  string
	make  func(x *ports)
	waits bool // an end that nobody has waits for the peer's
}{
	{name: "nobody has accepted it", make: func(*ports) {}},
	{name: "both ends are open", make: func(x *ports) { x.accept() }},
	{name: "the client has closed", make: func(x *ports) {
		x.accept()
		x.close(x.c)
		x.hearsEnd(x.s)
	}, waits: true},
	{name: "the server has closed", make: func(x *ports) {
		x.accept()
		x.close(x.s)
		x.hearsEnd(x.c)
	}, waits: true},
	{name: "the server has closed with bytes on their way", make: func(x *ports) {
		x.accept()
		x.fills(x.s)
		x.close(x.s)
	}},
	{name: "the server has closed with bytes on their way, behind the client's end", make: func(x *ports) {
		x.accept()
		x.Shutdown(x.c, sys.ShutWr)
		x.hearsEnd(x.s)
		x.fills(x.s)
		x.close(x.s)
	}},
	{name: "both have said that nothing follows", make: func(x *ports) {
		x.accept()
		x.Shutdown(x.c, sys.ShutWr)
		x.hearsEnd(x.s)
		x.Shutdown(x.s, sys.ShutWr)
		x.hearsEnd(x.c)
	}},
	{name: "the client has reset it", make: func(x *ports) {
		x.accept()
		x.SetLinger(x.c, 0)
		x.close(x.c)
		x.hearsEnd(x.s)
	}},
	{name: "the server has reset it", make: func(x *ports) {
		x.accept()
		x.SetLinger(x.s, 0)
		x.close(x.s)
		x.hearsEnd(x.c)
	}},
	{name: "the listener has closed with it in its queue", make: func(x *ports) {
		x.close(x.listener)
		x.hearsEnd(x.c)
	}},
	{name: "the client has undone it", make: func(x *ports) {
		x.accept()
		none := new(sys.Sockaddr)
		none.SetUnspec()
		x.Connect(x.c, none)
		x.hearsEnd(x.s)
	}},
}

// probes ask who may have the addresses of a connection.
var probes = []struct {
	name string
	ask  func(x *ports) int32
}{
	{"bind to the client's", func(x *ports) int32 { return x.binds(x.client, 0) }},
	{"bind to the client's, with SO_REUSEADDR", func(x *ports) int32 { return x.binds(x.client, 1) }},
	{"bind to the server's", func(x *ports) int32 { return x.binds(x.server, 0) }},
	{"bind to the server's, with SO_REUSEADDR", func(x *ports) int32 { return x.binds(x.server, 1) }},
	{"connect from the client's to the server's", func(x *ports) int32 { return x.connects(x.client, x.server) }},
	{"connect from the client's to another", func(x *ports) int32 { return x.connects(x.client, nil) }},
	{"connect from the server's to the client's", func(x *ports) int32 { return x.connects(x.server, x.client) }},
}
