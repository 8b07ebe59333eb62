//go:build linux && !portable

package memkernel

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// Datagrams that a receive buffer has no room for are counted, and the next that comes tells it who asks.
func TestDropsAsTheSystem(t *testing.T) {
	system, memory := bothKernels(t)
	for what, k := range map[string]*either{"the system": system, "memory": memory} {
		at := netip.MustParseAddr("127.0.0.1")
		d := &datagrams{from: k, to: k, settle: func() {}}
		if err := d.open(sys.AFInet, at); err != nil {
			t.Fatal(err)
		}
		defer k.closeAll()
		k.Setsockopt(d.s, sys.SolSocket, sys.SoRcvbuf, 4096)
		k.Setsockopt(d.s, sys.SolSocket, sys.SoRxqOvfl, 1)
		const sent = 100
		for range sent {
			if n := k.op(op.Send, d.c, func(o *op.Op) { o.Buf = make([]byte, 1000) }); n != 1000 {
				t.Fatalf("%s: send = %d", what, n)
			}
		}
		came := len(d.came())
		b := make([]byte, 9*4)
		k.GetsockoptBytes(d.s, sys.SolSocket, sys.SoMeminfo, b)
		if drops := binary.NativeEndian.Uint32(b[8*4:]); came == 0 || came+int(drops) != sent {
			t.Errorf("%s: of %d datagrams %d came and %d were dropped", what, sent, came, drops)
		}
	}
}
