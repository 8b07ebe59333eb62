//go:build linux && !portable

package memkernel

import (
	"fmt"
	"net/netip"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// timeWaitSteps ends a connection, and binds sockets to the addresses of both its ends.
func timeWaitSteps(t *testing.T, k *either, reuse int, clientFirst bool) (told []string) {
	any := new(sys.Sockaddr)
	any.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	l, _ := k.bindTo(any, reuse)
	k.Listen(l, 1)
	c, _ := k.bindTo(any, reuse)
	server, client := new(sys.Sockaddr), new(sys.Sockaddr)
	k.Getsockname(l, server)
	k.Getsockname(c, client)
	done := uint32(0)
	k.often(func() int32 {
		return k.op(op.Connect, c, func(o *op.Op) { o.Ext.Addr, o.Done = *server, done; done = 1 })
	})
	s := k.often(func() int32 { return k.op(op.Accept, l, nil) })
	k.Close(l)
	ends := []int32{s, c}
	if clientFirst {
		ends[0], ends[1] = c, s
	}
	k.Close(ends[0])
	k.often(func() int32 { return k.op(op.Recv, ends[1], func(o *op.Op) { o.Buf = make([]byte, 1) }) })
	k.Close(ends[1])
	for _, at := range []struct {
		name string
		*sys.Sockaddr
		first bool
	}{{"client", client, clientFirst}, {"server", server, !clientFirst}} {
		for _, again := range []int{0, 1} {
			fd, res := k.bindTo(at.Sockaddr, again)
			if !at.first { // the system may still be at the end of the one that has closed last
				patience.Until(t, "the port of the one that has closed last", func() bool {
					if res != 0 {
						k.Close(fd)
						fd, res = k.bindTo(at.Sockaddr, again)
					}
					return res == 0
				})
			}
			told = append(told, fmt.Sprintf("reuse %d, client first %v: bind to the %s's, reuse %d: %d", reuse,
				clientFirst, at.name, again, res))
			k.Close(fd)
		}
	}
	return told
}

// Who can be bound to the addresses of a connection that is over is as on the system's kernel.
func TestTimeWaitAsTheSystem(t *testing.T) {
	for _, reuse := range []int{0, 1} {
		for _, clientFirst := range []bool{false, true} {
			want := timeWaitSteps(t, &either{Kernel: kernel.Host{}, do: driver.Call}, reuse, clientFirst)
			h := NewNetwork(world.New(1)).Host("here")
			got := timeWaitSteps(t, &either{Kernel: h, do: h.Attempt}, reuse, clientFirst)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("in memory: %s\nthe system: %s", got[i], want[i])
				}
			}
		}
	}
}
