package sys

import (
	"net/netip"
	"testing"

	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

func TestSockaddrRoundTrip(t *testing.T) {
	for _, want := range []string{
		"127.0.0.1:7000", "0.0.0.0:0", "[::1]:65535", "[::]:1", "[fe80::1%3]:9", "[::ffff:10.0.0.1]:80",
	} {
		var sa Sockaddr
		ap := netip.MustParseAddrPort(want)
		sa.Set(ap)
		if got := sa.AddrPort(); got != ap {
			t.Errorf("AddrPort() = %v after Set(%v)", got, ap)
		}
	}
}

func TestSockaddrOfNothing(t *testing.T) {
	var sa Sockaddr
	if got := sa.AddrPort(); got.IsValid() {
		t.Errorf("AddrPort() of an empty Sockaddr = %v, want the zero AddrPort", got)
	}
}

func FuzzSockaddr(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, uint16(80), uint32(0))
	f.Add([]byte{15: 1}, uint16(0), uint32(7))
	f.Fuzz(func(t *testing.T, addr []byte, port uint16, scope uint32) {
		a, ok := netip.AddrFromSlice(addr)
		if !ok {
			return
		}
		if a.Is6() && !a.Is4In6() && scope != 0 {
			a = a.WithZone(netip.MustParseAddr("fe80::1%1").Zone())
		}
		ap := netip.AddrPortFrom(a, port)
		var sa Sockaddr
		sa.Set(ap)
		if got := sa.AddrPort(); got != ap {
			t.Errorf("AddrPort() = %v after Set(%v)", got, ap)
		}
	})
}

// An address is encoded and decoded without an allocation.
func TestSockaddrAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, s := range []string{"127.0.0.1:1", "[::ffff:127.0.0.1]:1", "[::1]:1", "[fe80::1%7]:1"} {
		ap, sa := netip.MustParseAddrPort(s), new(Sockaddr)
		most := 0.1
		if ap.Addr().Zone() != "" {
			most = 1.1 // the zone's name
		}
		if n := alloctest.Least(100, most, func() { sa.Set(ap); sa.AddrPort() }); n > most {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}
